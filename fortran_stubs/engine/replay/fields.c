/* fields.c: put, get and bind of a component's fields. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"

void rp_free_slot(rp_slot *slot) {
  free(slot->data);
  free(slot->marked);
  memset(slot, 0, sizeof *slot);
}

static size_t columns_of(const rp_shape *shape) { return shape->rank ? (size_t)shape->extent[0] : 1; }

/* Memory for a whole field; what was kept in another shape is forgotten. */
static int room(rp_part *part, rp_kept *field, rp_slot *slot, const rp_shape *shape, tradewind_status *status) {
  int64_t count = rp_count(shape);
  if (slot->data && rp_same_shape(&slot->shape, shape)) return TRADEWIND_OK;
  rp_free_slot(slot);
  if (count >= 0) {
    /* one more than none: calloc(0) may be NULL */
    slot->data = calloc((size_t)count + 1, rp_kind_size(field->declared.kind));
    slot->marked = calloc(columns_of(shape) + 1, 1);
  }
  if (!slot->data || !slot->marked)
    return tw_fail(status, TRADEWIND_MEMORY, part->name, field->declared.name, "no memory for %" PRId64 " values",
                   count);
  slot->shape = *shape;
  return TRADEWIND_OK;
}

int rp_slot_in(rp_part *part, rp_kept *field, tw_what what, const tradewind_array *array, int64_t first,
               tradewind_status *status) {
  rp_slot *slot = &field->slot[what];
  rp_shape shape = rp_full_shape(part, field, array);
  int code = room(part, field, slot, &shape, status);
  if (code) return code;
  tradewind_array here = rp_view(slot->data, field->declared.kind, &shape);
  int64_t from = first ? first : 1, columns = (int64_t)columns_of(&shape);
  int64_t count = first ? array->extent[0] : columns;
  if (first) here = rp_columns(&here, first, count);
  rp_copy(&here, array);
  rp_shape block = rp_shape_of(&here);
  memset(slot->marked + from - 1, 1, (size_t)count);
  slot->given += rp_count(&block);
  slot->hash += rp_hash(&here, from, columns);
  slot->foreign = 0;
  return TRADEWIND_OK;
}

static int is_output(const rp_kept *field) {
  return field->declared.role == TRADEWIND_EXPORT || field->declared.role == TRADEWIND_STATE;
}

static int is_input(const rp_kept *field) { return field->declared.role != TRADEWIND_EXPORT; }

/* The library has looked for NaN in what is put; what is bound is looked at when it is read. */
static int check_finite(const rp_part *part, const rp_kept *field, const tradewind_array *array,
                        tradewind_status *status) {
  int64_t number = rp_not_finite(array);
  if (!number) return TRADEWIND_OK;
  return tw_fail(status, TRADEWIND_DATA, part->name, field->declared.name, "value %" PRId64 " is NaN or infinite",
                 number);
}

int rp_put(void *state, tw_what what, const char *name, const tradewind_array *array, const tradewind_how *how,
           tradewind_status *status) {
  rp_part *part = state;
  int32_t number = 0, code = rp_find_field(part, RP_PUT, what, name, &number, status);
  if (code) return code;
  rp_kept *field = &part->fields[number];
  code = rp_check_array(part, field, array, how, status);
  int foreign = code ? 0 : rp_check_units(part, field, how, status);
  if (code || foreign < 0) return code ? code : status->code;
  code = check_finite(part, field, array, status);
  if (!code) code = rp_slot_in(part, field, what, array, how ? how->first : 0, status);
  if (!code) field->slot[what].foreign = foreign;
  return code;
}

static int not_there(const rp_part *part, const rp_kept *field, tradewind_status *status) {
  if (part->session->recorded)
    return tw_fail(status, TRADEWIND_FIELD, part->name, field->declared.name,
                   "%s: the recording holds no value of this after call %zu (%s): it was not asked for then",
                   part->session->folder, part->session->at, rp_event_now(part->session)->call);
  return tw_fail(status, TRADEWIND_FIELD, part->name, field->declared.name,
                 "it has not been given, and has no initial value");
}

/* Whether the columns of an array have been put, all of them. */
static int are_marked(const rp_slot *slot, const tradewind_array *array, int64_t first) {
  size_t columns = columns_of(&slot->shape), from = first ? (size_t)first - 1 : 0;
  size_t count = first ? (size_t)array->extent[0] : columns;
  return from <= columns && count <= columns - from && memchr(slot->marked + from, 0, count) == NULL;
}

static int give_slot(rp_part *part, rp_kept *field, tw_what what, const tradewind_array *array, int64_t first,
                     tradewind_status *status) {
  rp_slot *slot = &field->slot[what];
  if (!are_marked(slot, array, first))
    return tw_fail(status, TRADEWIND_FIELD, part->name, field->declared.name,
                   "not all of these columns have been given");
  tradewind_array whole = rp_view(slot->data, field->declared.kind, &slot->shape);
  return rp_give(part, field, &whole, array, first, status);
}

static int give_kept(rp_part *part, rp_kept *field, tw_what what, const tradewind_array *array,
                     const tradewind_how *how, tradewind_status *status) {
  int other = rp_check_units(part, field, how, status);
  if (other < 0) return status->code;
  if (other != field->slot[what].foreign)
    return tw_fail(status, TRADEWIND_UNITS, part->name, field->declared.name, "nothing is converted without Python");
  if (field->slot[what].data) return give_slot(part, field, what, array, how ? how->first : 0, status);
  rp_fill(array, field->initial);
  return TRADEWIND_OK;
}

/* What the host has put since the last call stands above what was recorded after it. */
static int give(rp_part *part, int32_t number, tw_what what, const tradewind_array *array, const tradewind_how *how,
                tradewind_status *status) {
  rp_kept *field = &part->fields[number];
  int kept = field->slot[what].data || (field->has_initial && what == TW_VALUE);
  const rp_value *value = NULL;
  if (part->session->recorded && (part->session->inside || !field->slot[what].given)) {
    value = rp_recorded(part, number, what, how ? how->units : NULL);
    kept = kept && is_input(field);
  }
  if (value) return rp_give_value(part, value, array, how ? how->first : 0, status);
  if (kept) return give_kept(part, field, what, array, how, status);
  if (rp_check_units(part, field, how, status) < 0) return status->code;
  return not_there(part, field, status);
}

int rp_get(void *state, tw_what what, const char *name, const tradewind_array *array, const tradewind_how *how,
           tradewind_status *status) {
  rp_part *part = state;
  int32_t number = 0, code = rp_find_field(part, RP_GET, what, name, &number, status);
  if (!code) code = rp_check_array(part, &part->fields[number], array, how, status);
  if (code) return code;
  part->session->gets += 1;
  return give(part, number, what, array, how, status);
}

/* The binding of a field: the one before is replaced. */
static rp_binding *binding_of(rp_part *part, int32_t field) {
  for (size_t i = 0; i < part->bound_count; i++)
    if (part->bound[i].field == field) return &part->bound[i];
  rp_binding *grown = rp_grown(part->bound, part->bound_count, sizeof *grown);
  if (!grown) return NULL;
  part->bound = grown;
  return &grown[part->bound_count++];
}

int rp_bind(void *state, const char *name, const tradewind_array *array, const tradewind_how *how,
            tradewind_status *status) {
  rp_part *part = state;
  int32_t number = 0, code = rp_find_field(part, RP_BIND, TW_VALUE, name, &number, status);
  if (!code) code = rp_check_array(part, &part->fields[number], array, how, status);
  int foreign = code ? 0 : rp_check_units(part, &part->fields[number], how, status);
  if (code || foreign < 0) return status->code;
  if (how && how->first)
    return tw_fail(status, TRADEWIND_SHAPE, part->name, name,
                   "blocks of columns cannot be bound: bind the whole field");
  rp_binding *bound = binding_of(part, number);
  if (!bound) return tw_fail(status, TRADEWIND_MEMORY, part->name, name, "no memory to remember what is bound");
  *bound = (rp_binding){.field = number, .foreign = foreign, .array = *array};
  /* units that do not fit have been refused above */
  if (how && how->units) (void)rp_copy_name(bound->units, sizeof bound->units, how->units);
  return TRADEWIND_OK;
}

static int read_bound(rp_part *part, const rp_binding *bound, tradewind_status *status) {
  rp_kept *field = &part->fields[bound->field];
  int code = check_finite(part, field, &bound->array, status);
  if (!code) code = rp_slot_in(part, field, TW_VALUE, &bound->array, 0, status);
  if (!code) field->slot[TW_VALUE].foreign = bound->foreign;
  return code;
}

int rp_bound_in(rp_part *part, tradewind_status *status) {
  int code = TRADEWIND_OK;
  for (size_t i = 0; i < part->bound_count && !code; i++)
    if (is_input(&part->fields[part->bound[i].field])) code = read_bound(part, &part->bound[i], status);
  return code;
}

static int write_bound(rp_part *part, const rp_binding *bound, tradewind_status *status) {
  tradewind_how how = {.units = bound->units[0] ? bound->units : NULL, .cast = 1, .convert = 1};
  return give(part, bound->field, TW_VALUE, &bound->array, &how, status);
}

int rp_bound_out(rp_part *part, tradewind_status *status) {
  int code = TRADEWIND_OK;
  for (size_t i = 0; i < part->bound_count && !code; i++)
    if (is_output(&part->fields[part->bound[i].field])) code = write_bound(part, &part->bound[i], status);
  return code;
}

static int all_marked(const rp_slot *slot) {
  return slot->data && memchr(slot->marked, 0, columns_of(&slot->shape)) == NULL;
}

int rp_all_given(rp_part *part, tradewind_status *status) {
  for (int32_t i = 0; i < part->count; i++) {
    const rp_kept *field = &part->fields[i];
    int wanted = field->declared.role == TRADEWIND_IMPORT && !field->has_initial;
    if (wanted && !all_marked(&field->slot[TW_VALUE]))
      return tw_fail(status, TRADEWIND_FIELD, part->name, field->declared.name,
                     "it has not been given (or not all of its columns)");
  }
  return TRADEWIND_OK;
}

static void forget_field(rp_kept *field) {
  for (int what = 0; what < RP_WHATS; what++) field->slot[what].given = 0, field->slot[what].hash = 0;
}

void rp_puts_forgotten(rp_session *session) {
  for (size_t p = 0; p < session->part_count; p++)
    for (int32_t i = 0; i < session->parts[p]->count; i++) forget_field(&session->parts[p]->fields[i]);
}
