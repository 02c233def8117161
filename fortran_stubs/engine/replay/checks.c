/* checks.c: whether an array fits what is declared of a field. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine.h"

static void known_names(const rp_part *part, char *text, size_t size) {
  size_t at = 0;
  for (int32_t i = 0; i < part->count && at < size; i++)
    at += (size_t)snprintf(text + at, size - at, "%s%s", i ? ", " : "", part->fields[i].declared.name);
}

/* Roles that a name is looked for in, one after the other. A step of the host stands on the other side: it gets
 * what the component is given, and puts what it answers. */
static const int32_t *roles_of(const rp_session *session, rp_way way, tw_what what) {
  static const int32_t inputs[] = {TRADEWIND_IMPORT, TRADEWIND_PARAMETER, TRADEWIND_STATE, 0};
  static const int32_t outputs[] = {TRADEWIND_EXPORT, TRADEWIND_STATE, 0};
  static const int32_t known[] = {TRADEWIND_EXPORT, TRADEWIND_STATE, TRADEWIND_IMPORT, TRADEWIND_PARAMETER, 0};
  static const int32_t given[] = {TRADEWIND_IMPORT, TRADEWIND_PARAMETER, TRADEWIND_STATE, TRADEWIND_EXPORT, 0};
  if (way == RP_BIND || (way == RP_PUT && !session->recorded)) return given;
  if (way == RP_GET && what == TW_VALUE && !session->inside) return known;
  return ((way == RP_PUT) == (what != TW_ADJOINT)) != (session->inside != 0) ? inputs : outputs;
}

int rp_find_field(rp_part *part, rp_way way, tw_what what, const char *name, int32_t *field,
                  tradewind_status *status) {
  char known[1024] = "none";
  for (const int32_t *role = roles_of(part->session, way, what); *role; role++)
    if ((*field = rp_field_number(part, *role, name)) >= 0) return TRADEWIND_OK;
  known_names(part, known, sizeof known);
  return tw_fail(status, TRADEWIND_FIELD, part->name, name, "no field of this name that can be %s here (known: %s)",
                 way == RP_GET   ? "got"
                 : way == RP_PUT ? "put"
                                 : "bound",
                 known);
}

/* Columns that nobody has declared are those of the grid, of what was put, or at last of this array. */
rp_shape rp_full_shape(const rp_part *part, const rp_kept *field, const tradewind_array *array) {
  rp_shape shape = {.rank = field->declared.rank};
  memcpy(shape.extent, field->declared.extent, sizeof shape.extent);
  if (shape.rank == 0 || shape.extent[0] != RP_OPEN) return shape;
  if (part->columns >= 0) shape.extent[0] = part->columns;
  else if (field->slot[TW_VALUE].data) shape.extent[0] = field->slot[TW_VALUE].shape.extent[0];
  else if (array->rank > 0) shape.extent[0] = array->extent[0];
  return shape;
}

static int wrong_shape(const rp_part *part, const rp_kept *field, const rp_shape *want, const rp_shape *got,
                       tradewind_status *status) {
  char wanted[128], given[128];
  rp_shape_text(want, wanted, sizeof wanted);
  rp_shape_text(got, given, sizeof given);
  return tw_fail(status, TRADEWIND_SHAPE, part->name, field->declared.name, "expected shape %s, got %s", wanted,
                 given);
}

static int wrong_block(const rp_part *part, const rp_kept *field, int64_t first, int64_t count, int64_t columns,
                       tradewind_status *status) {
  return tw_fail(status, TRADEWIND_SHAPE, part->name, field->declared.name,
                 "columns %" PRId64 " to %" PRId64 " were given of %" PRId64 " (first counts from 1)", first,
                 first + count - 1, columns);
}

static int check_block(const rp_part *part, const rp_kept *field, const rp_shape *want, const rp_shape *got,
                       int64_t first, tradewind_status *status) {
  rp_shape block = *want;
  if (want->rank == 0 || got->rank != want->rank) return wrong_shape(part, field, want, got, status);
  block.extent[0] = got->extent[0];
  if (!rp_same_shape(&block, got)) return wrong_shape(part, field, want, got, status);
  if (first >= 1 && first - 1 <= want->extent[0] - got->extent[0]) return TRADEWIND_OK;
  return wrong_block(part, field, first, got->extent[0], want->extent[0], status);
}

static int check_shape(const rp_part *part, const rp_kept *field, const tradewind_array *array, int64_t first,
                       tradewind_status *status) {
  rp_shape want = rp_full_shape(part, field, array), got = rp_shape_of(array);
  if (first != 0) return check_block(part, field, &want, &got, first, status);
  if (rp_same_shape(&want, &got)) return TRADEWIND_OK;
  for (int32_t i = 0; i < field->other_count; i++)
    if (rp_same_shape(&field->others[i], &got) && rp_count(&got) == rp_count(&want)) return TRADEWIND_OK;
  return wrong_shape(part, field, &want, &got, status);
}

int rp_check_array(rp_part *part, rp_kept *field, const tradewind_array *array, const tradewind_how *how,
                   tradewind_status *status) {
  if (array->kind != field->declared.kind && !(how && how->cast))
    return tw_fail(status, TRADEWIND_KIND, part->name, field->declared.name, "expected %s, got %s (cast converts it)",
                   rp_kind_word(field->declared.kind), rp_kind_word(array->kind));
  return check_shape(part, field, array, how ? how->first : 0, status);
}

static int accepted(const rp_kept *field, const char *units) {
  for (int32_t i = 0; i < field->accepted_count; i++)
    if (strcmp(field->accepted[i], units) == 0) return i;
  return -1;
}

int rp_check_units(const rp_part *part, const rp_kept *field, const tradewind_how *how, tradewind_status *status) {
  if (!how || !how->units || strcmp(how->units, field->declared.units) == 0) return 0;
  int known = accepted(field, how->units);
  if (known >= 0 && (!field->converted[known] || how->convert)) return field->converted[known];
  tw_fail(status, TRADEWIND_UNITS, part->name, field->declared.name, "expected %s, got %s%s", field->declared.units,
          how->units, how->convert ? " (nothing is converted without Python but what was recorded)" : "");
  return -1;
}
