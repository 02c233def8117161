/* engines.h: which engine answers. */
#ifndef TW_ENGINES_H
#define TW_ENGINES_H

#include "engine.h"

/* The engine of this name; NULL or empty: the one that the file's ending asks for. NULL with a status: none. */
const tw_engine *tw_choose_engine(const char *name, const char *config, tradewind_status *status);

#endif
