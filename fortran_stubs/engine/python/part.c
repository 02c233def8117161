/* One component in Python. */
#include <string.h>

#include "engine.h"
#include "../status.h"

/* ---- what it is ----------------------------------------------------------------------------------------------- */

static tw_object *line(const void *data, int32_t kind, int64_t n, int64_t size) {
  if (data == NULL && n > 0) return tw_none();
  const tradewind_array array = {.data = (void *)data, .kind = kind, .rank = 1, .extent = {n}, .stride = {size}};
  return tw_python_view(&array);
}

int tw_python_set_grid(void *part, int64_t n, const int64_t *global_index, const double *lon, const double *lat,
                       const int32_t *mask, tradewind_status *status) {
  const tw_python *python = tw_python_running();
  tw_python_part *self = part;
  const int lock = python->PyGILState_Ensure();
  tw_object *arguments[] = {line(global_index, TRADEWIND_INT64, n, 8), line(lon, TRADEWIND_REAL64, n, 8),
                            line(lat, TRADEWIND_REAL64, n, 8),
                            mask ? line(mask, TRADEWIND_INT32, n, 4) : tw_none()};
  const int code = tw_outcome_of(tw_call_method(self->component, "set_grid", 4, arguments), status);
  python->PyGILState_Release(lock);
  return code;
}

static int do_plainly(void *part, const char *name, tradewind_status *status) {
  const tw_python *python = tw_python_running();
  tw_python_part *self = part;
  const int lock = python->PyGILState_Ensure();
  const int code = tw_outcome_of(tw_call_method(self->component, name, 0, NULL), status);
  python->PyGILState_Release(lock);
  return code;
}

int tw_python_describe(void *part, tradewind_status *status) { return do_plainly(part, "describe", status); }
int tw_python_tangent(void *part, tradewind_status *status) { return do_plainly(part, "tangent", status); }
int tw_python_adjoint(void *part, tradewind_status *status) { return do_plainly(part, "adjoint", status); }

int tw_python_dot_test(void *part, double *error, tradewind_status *status) {
  const tw_python *python = tw_python_running();
  tw_python_part *self = part;
  const int lock = python->PyGILState_Ensure();
  tw_object *result = tw_call_method(self->component, "dot_test", 0, NULL);
  if (result != NULL) *error = python->PyFloat_AsDouble(result);
  int code = tw_outcome_of(result, status);
  if (python->PyErr_Occurred()) code = tw_tell_exception(status);
  python->PyGILState_Release(lock);
  return code;
}

/* ---- its fields ----------------------------------------------------------------------------------------------- */

static int64_t integer_at(tw_object *items, int number) {
  const tw_python *python = tw_python_running();
  tw_object *item = python->PySequence_GetItem(items, number);
  const int64_t value = item ? (int64_t)python->PyLong_AsLongLong(item) : 0;
  if (item != NULL) python->Py_DecRef(item);
  return value;
}

static void text_at(tw_object *items, int number, char *to) {
  const tw_python *python = tw_python_running();
  tw_object *item = python->PySequence_GetItem(items, number);
  tw_copy_text(item, to, TRADEWIND_NAME_LENGTH);
  if (item != NULL) python->Py_DecRef(item);
}

/* (name, units, role, kind, extents) */
static void read_field(tw_object *items, tradewind_field *field) {
  const tw_python *python = tw_python_running();
  memset(field, 0, sizeof *field);
  text_at(items, 0, field->name);
  text_at(items, 1, field->units);
  field->role = (int32_t)integer_at(items, 2);
  field->kind = (int32_t)integer_at(items, 3);
  tw_object *extents = python->PySequence_GetItem(items, 4);
  if (extents == NULL) return;
  const tw_length rank = python->PySequence_Size(extents);
  field->rank = rank < 0 ? 0 : rank > TRADEWIND_MAX_RANK ? TRADEWIND_MAX_RANK : (int32_t)rank;
  for (int axis = 0; axis < field->rank; ++axis) field->extent[axis] = integer_at(extents, axis);
  python->Py_DecRef(extents);
}

static int ask_fields(tw_python_part *self, tradewind_status *status) {
  const tw_python *python = tw_python_running();
  tw_object *declared = tw_call_method(self->component, "fields", 0, NULL);
  if (declared == NULL) return tw_tell_exception(status);
  if (self->declared != NULL) python->Py_DecRef(self->declared);
  self->declared = declared;
  return TRADEWIND_OK;
}

int tw_python_fields(void *part, int32_t *count, tradewind_status *status) {
  const tw_python *python = tw_python_running();
  tw_python_part *self = part;
  const int lock = python->PyGILState_Ensure();
  const int code = ask_fields(self, status);
  if (code == TRADEWIND_OK) *count = (int32_t)python->PySequence_Size(self->declared);
  python->PyGILState_Release(lock);
  return code;
}

static int fill_field(tw_python_part *self, int32_t number, tradewind_field *field, tradewind_status *status) {
  const tw_python *python = tw_python_running();
  if (self->declared == NULL && ask_fields(self, status) != TRADEWIND_OK) return status->code;
  const int32_t count = (int32_t)python->PySequence_Size(self->declared);
  if (number < 1 || number > count)
    return tw_fail(status, TRADEWIND_FIELD, NULL, NULL, "field %d of %d: they are counted from 1", (int)number,
                   (int)count);
  tw_object *items = python->PySequence_GetItem(self->declared, number - 1);
  if (items != NULL) read_field(items, field);
  if (items != NULL) python->Py_DecRef(items);
  return python->PyErr_Occurred() ? tw_tell_exception(status) : TRADEWIND_OK;
}

int tw_python_field_of(void *part, int32_t number, tradewind_field *field, tradewind_status *status) {
  const tw_python *python = tw_python_running();
  const int lock = python->PyGILState_Ensure();
  const int code = fill_field(part, number, field, status);
  python->PyGILState_Release(lock);
  return code;
}

/* ---- values --------------------------------------------------------------------------------------------------- */

/* (what, name, view, units, first, cast, convert); bind has no `what`. Returns how many. */
static int collect(tw_object **arguments, const tw_what *what, const char *name, const tradewind_array *array,
                   const tradewind_how *how) {
  const tw_python *python = tw_python_running();
  int n = 0;
  if (what != NULL) arguments[n++] = python->PyLong_FromLongLong((long long)*what);
  arguments[n++] = tw_text_object(name);
  arguments[n++] = tw_python_view(array);
  arguments[n++] = tw_text_object(how ? how->units : NULL);
  arguments[n++] = python->PyLong_FromLongLong(how ? (long long)how->first : 0);
  arguments[n++] = python->PyBool_FromLong(how ? how->cast != 0 : 0);
  arguments[n++] = python->PyBool_FromLong(how ? how->convert != 0 : 0);
  return n;
}

/* Hand over an array for the time of a call. */
static int lend(tw_object *method, tw_what what, const char *name, const tradewind_array *array,
                const tradewind_how *how, tradewind_status *status) {
  tw_object *arguments[TW_MOST_ARGUMENTS];
  const int n = collect(arguments, &what, name, array, how);
  return tw_outcome_of(tw_call_object(method, n, arguments), status);
}

int tw_python_put(void *part, tw_what what, const char *name, const tradewind_array *array, const tradewind_how *how,
                  tradewind_status *status) {
  const tw_python *python = tw_python_running();
  const int lock = python->PyGILState_Ensure();
  const int code = lend(((tw_python_part *)part)->put, what, name, array, how, status);
  python->PyGILState_Release(lock);
  return code;
}

int tw_python_get(void *part, tw_what what, const char *name, const tradewind_array *array, const tradewind_how *how,
                  tradewind_status *status) {
  const tw_python *python = tw_python_running();
  const int lock = python->PyGILState_Ensure();
  const int code = lend(((tw_python_part *)part)->get, what, name, array, how, status);
  python->PyGILState_Release(lock);
  return code;
}

/* The view lives as long as the component keeps it. */
int tw_python_bind(void *part, const char *name, const tradewind_array *array, const tradewind_how *how,
                   tradewind_status *status) {
  const tw_python *python = tw_python_running();
  const int lock = python->PyGILState_Ensure();
  tw_object *arguments[TW_MOST_ARGUMENTS];
  const int n = collect(arguments, NULL, name, array, how);
  const int code = tw_outcome_of(tw_call_object(((tw_python_part *)part)->bind, n, arguments), status);
  python->PyGILState_Release(lock);
  return code;
}

int tw_python_run(void *part, double time, double dt, tradewind_status *status) {
  const tw_python *python = tw_python_running();
  const int lock = python->PyGILState_Ensure();
  tw_object *arguments[] = {python->PyFloat_FromDouble(time), python->PyFloat_FromDouble(dt)};
  const int code = tw_outcome_of(tw_call_object(((tw_python_part *)part)->run, 2, arguments), status);
  python->PyGILState_Release(lock);
  return code;
}
