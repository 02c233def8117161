/* values.c: gives out what a recording holds, after a look whether it is still what was written. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"

static const char *declared_units(const rp_kept *field, const char *units) {
  if (!units) return field->declared.units;
  for (int32_t i = 0; i < field->accepted_count; i++)
    if (!field->converted[i] && strcmp(field->accepted[i], units) == 0) return field->declared.units;
  return units;
}

static int is_of(const rp_value *value, int32_t part, int32_t field, tw_what what, const char *units) {
  return value->part == part && value->field == field && value->what == (int32_t)what &&
         strcmp(value->units, units) == 0;
}

const rp_value *rp_recorded(const rp_part *part, int32_t field, tw_what what, const char *units) {
  const rp_session *session = part->session;
  const rp_event *now = rp_event_now(session);
  size_t next = session->at + 1;
  size_t end = next < session->event_count ? session->events[next].values : session->value_count;
  int32_t number = rp_part_number(session, part->name);
  units = declared_units(&part->fields[field], units);
  for (size_t i = now->values; i < end; i++)
    if (is_of(&session->values[i], number, field, what, units)) return &session->values[i];
  return NULL;
}

int rp_give(const rp_part *part, const rp_kept *field, const tradewind_array *whole, const tradewind_array *array,
            int64_t first, tradewind_status *status) {
  tradewind_array here = *whole;
  int64_t columns = whole->rank ? whole->extent[0] : 1;
  if (first && first - 1 <= columns - array->extent[0]) here = rp_columns(whole, first, array->extent[0]);
  rp_shape from = rp_shape_of(&here), to = rp_shape_of(array);
  if (rp_count(&from) == rp_count(&to)) return rp_copy(array, &here), TRADEWIND_OK;
  return tw_fail(status, TRADEWIND_SHAPE, part->name, field->declared.name,
                 "%" PRId64 " values were asked for, and there are %" PRId64, rp_count(&to), rp_count(&from));
}

static int read_numbers(const rp_session *session, const rp_value *value, unsigned char *data, size_t bytes) {
  return fseek(session->numbers, (long)value->offset, SEEK_SET) == 0 &&
         fread(data, 1, bytes, session->numbers) == bytes;
}

static int give_read(rp_part *part, const rp_value *value, const tradewind_array *whole, const tradewind_array *array,
                     int64_t first, tradewind_status *status) {
  const rp_kept *field = &part->fields[value->field];
  size_t bytes = (size_t)rp_count(&value->shape) * rp_kind_size(value->kind);
  int64_t columns = value->shape.rank ? value->shape.extent[0] : 1;
  if (read_numbers(part->session, value, whole->data, bytes) && rp_hash(whole, 1, columns) == value->hash)
    return rp_give(part, field, whole, array, first, status);
  return tw_fail(status, TRADEWIND_DATA, part->name, field->declared.name, "%s: its recorded values are damaged",
                 part->session->folder);
}

int rp_give_value(rp_part *part, const rp_value *value, const tradewind_array *array, int64_t first,
                  tradewind_status *status) {
  size_t bytes = (size_t)rp_count(&value->shape) * rp_kind_size(value->kind);
  unsigned char *data = malloc(bytes + 1);
  if (!data) return tw_fail(status, TRADEWIND_MEMORY, part->name, "", "no memory for %zu bytes", bytes);
  tradewind_array whole = rp_view(data, value->kind, &value->shape);
  int code = give_read(part, value, &whole, array, first, status);
  free(data);
  return code;
}
