/* bindings.h: memory of the host that a component reads at every run; looked at for NaN before each. */
#ifndef TW_BINDINGS_H
#define TW_BINDINGS_H

#include "engine.h"

typedef struct {
  char name[TRADEWIND_NAME_LENGTH];
  int64_t first; /* blocks of columns are bound one by one */
  tradewind_array array;
} tw_binding;

typedef struct {
  tw_binding *items;
  int count, room;
} tw_bindings;

/* Remember (or replace) what is bound to a field, or to a block of it. */
int tw_bindings_add(tw_bindings *bindings, const char *name, const tradewind_array *array, int64_t first,
                    tradewind_status *status);
/* Forget what is bound to a field. */
void tw_bindings_drop(tw_bindings *bindings, const char *name);
/* Whether all that will be read is finite. */
int tw_bindings_check(const tw_bindings *bindings, tradewind_status *status);
void tw_bindings_free(tw_bindings *bindings);

#endif
