#include "bindings.h"

#include <stdlib.h>
#include <string.h>

#include "arrays.h"
#include "status.h"

static tw_binding *find(const tw_bindings *bindings, const char *name, int64_t first) {
  for (int i = 0; i < bindings->count; ++i)
    if (bindings->items[i].first == first && strcmp(bindings->items[i].name, name) == 0) return &bindings->items[i];
  return NULL;
}

static tw_binding *grow(tw_bindings *bindings) {
  if (bindings->count == bindings->room) {
    const int room = bindings->room ? 2 * bindings->room : 4;
    tw_binding *items = realloc(bindings->items, (size_t)room * sizeof *items);
    if (items == NULL) return NULL;
    bindings->items = items;
    bindings->room = room;
  }
  return &bindings->items[bindings->count++];
}

int tw_bindings_add(tw_bindings *bindings, const char *name, const tradewind_array *array, int64_t first,
                    tradewind_status *status) {
  tw_binding *item = find(bindings, name, first);
  if (item == NULL) item = grow(bindings);
  if (item == NULL) return tw_fail(status, TRADEWIND_MEMORY, NULL, name, "no memory to remember what is bound");
  tw_text(item->name, sizeof item->name, name);
  item->first = first;
  item->array = *array;
  return TRADEWIND_OK;
}

void tw_bindings_drop(tw_bindings *bindings, const char *name) {
  int kept = 0;
  for (int i = 0; i < bindings->count; ++i)
    if (strcmp(bindings->items[i].name, name) != 0) bindings->items[kept++] = bindings->items[i];
  bindings->count = kept;
}

int tw_bindings_check(const tw_bindings *bindings, tradewind_status *status) {
  for (int i = 0; i < bindings->count; ++i)
    if (tw_check_finite(&bindings->items[i].array, bindings->items[i].name, status) != TRADEWIND_OK)
      return status->code;
  return TRADEWIND_OK;
}

void tw_bindings_free(tw_bindings *bindings) {
  free(bindings->items);
  memset(bindings, 0, sizeof *bindings);
}
