/* status.h: texts of a status, always ended, never cut within a character. */
#ifndef TW_STATUS_H
#define TW_STATUS_H

#include <stddef.h>

#include "engine.h"

/* Nothing has gone wrong. The texts are emptied, not zeroed: this is done at every call. */
void tw_clear(tradewind_status *status);
/* Copy what fits of `from` (NULL: nothing). */
void tw_text(char *to, size_t room, const char *from);
/* Copy the fields that are in use; the rest of `to` is zero, so that it may be sent to other ranks. */
void tw_copy_status(tradewind_status *to, const tradewind_status *from);

#endif
