/* start.h: the one interpreter of this process. It is started by the first session that wants it and
 * never ended: numpy and torch cannot be loaded twice, and ending them is unsafe while the host goes on. */
#ifndef TW_PYTHON_START_H
#define TW_PYTHON_START_H

#include "api.h"

/* Start it, or join the one that the host itself runs. NULL with a status: it cannot be used. */
const tw_python *tw_python_start(tradewind_status *status);
/* The functions of the interpreter that has been started. */
const tw_python *tw_python_running(void);

#endif
