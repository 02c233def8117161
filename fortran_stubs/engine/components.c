/* The calls that concern one component. */
#include <string.h>

#include "arrays.h"
#include "call.h"
#include "status.h"

/* ---- what it is ----------------------------------------------------------------------------------------------- */

static void check_finite(tw_call *call, const double *values, int64_t n, const char *what) {
  const tradewind_array array = {
      .data = (void *)values, .kind = TRADEWIND_REAL64, .rank = 1, .extent = {n}, .stride = {(int64_t)sizeof *values}};
  if (call->status->code != TRADEWIND_OK || tw_check_finite(&array, what, call->status) == TRADEWIND_OK) return;
  call->status->code = TRADEWIND_GRID;
}

static void check_cells(tw_call *call, int64_t n, const int64_t *global_index, const double *lon, const double *lat) {
  if (n < 0) { /* so the Fortran module tells that lengths differ, since all ranks must come here */
    tw_fail(call->status, TRADEWIND_GRID, NULL, NULL, "set_grid: global_index, lon, lat and mask differ in length");
    return;
  }
  if (n > 0 && (global_index == NULL || lon == NULL || lat == NULL)) {
    tw_fail(call->status, TRADEWIND_GRID, NULL, NULL, "set_grid was given no cells");
    return;
  }
  check_finite(call, lon, n, "lon");
  check_finite(call, lat, n, "lat");
}

int tradewind_set_grid(tradewind_component component, int64_t n, const int64_t *global_index, const double *lon,
                       const double *lat, const int32_t *mask, tradewind_status *status) {
  tw_call call;
  if (tw_begin_part(&call, component, "set_grid", status)) {
    const tw_engine *engine = call.session->engine;
    check_cells(&call, n, global_index, lon, lat);
    if (tw_together(&call, engine->set_grid != NULL))
      tw_finish(&call, engine->set_grid(call.part->part, n, global_index, lon, lat, mask, call.status));
  }
  return tw_end(&call);
}

int tradewind_describe(tradewind_component component, tradewind_status *status) {
  tw_call call;
  if (tw_begin_part(&call, component, "describe", status) && tw_together(&call, call.session->engine->describe != NULL))
    tw_finish(&call, call.session->engine->describe(call.part->part, call.status));
  return tw_end(&call);
}

int tradewind_fields(tradewind_component component, int32_t *count, tradewind_status *status) {
  tw_call call;
  int32_t unwanted;
  if (tw_begin_part(&call, component, "fields", status) && tw_alone(&call, call.session->engine->fields != NULL))
    tw_finish(&call, call.session->engine->fields(call.part->part, count ? count : &unwanted, call.status));
  return tw_end(&call);
}

int tradewind_field_of(tradewind_component component, int32_t number, tradewind_field *field,
                       tradewind_status *status) {
  tw_call call;
  if (tw_begin_part(&call, component, "field", status)) {
    if (field == NULL) tw_fail(call.status, TRADEWIND_FIELD, NULL, NULL, "field was given nothing to fill");
    if (tw_alone(&call, call.session->engine->field_of != NULL))
      tw_finish(&call, call.session->engine->field_of(call.part->part, number, field, call.status));
  }
  return tw_end(&call);
}

/* ---- arrays --------------------------------------------------------------------------------------------------- */

typedef struct {
  const char *name;
  const tradewind_array *array;
  const tradewind_how *how;
} tw_handed;

static int check_handed(tw_call *call, const tw_handed *handed) {
  if (handed->name == NULL || handed->name[0] == '\0' || strlen(handed->name) >= TRADEWIND_NAME_LENGTH)
    return tw_fail(call->status, TRADEWIND_FIELD, NULL, handed->name,
                   "%s was given no name of a field, or one too long", call->name);
  call->field = handed->name;
  return tw_check_array(handed->array, handed->how, handed->name, call->status);
}

static int put(tradewind_component component, const char *call_name, tw_what what, const tw_handed *handed,
               tradewind_status *status) {
  tw_call call;
  if (tw_begin_part(&call, component, call_name, status)) {
    const tw_engine *engine = call.session->engine;
    if (check_handed(&call, handed) == TRADEWIND_OK) tw_check_finite(handed->array, handed->name, call.status);
    if (tw_alone(&call, engine->put != NULL))
      tw_finish(&call, engine->put(call.part->part, what, handed->name, handed->array, handed->how, call.status));
    if (call.status->code == TRADEWIND_OK && what == TW_VALUE) /* what was put stands, the host's memory no more */
      tw_bindings_drop(&call.part->bindings, handed->name);
  }
  return tw_end(&call);
}

static int get(tradewind_component component, const char *call_name, tw_what what, const tw_handed *handed,
               tradewind_status *status) {
  tw_call call;
  if (tw_begin_part(&call, component, call_name, status)) {
    const tw_engine *engine = call.session->engine;
    check_handed(&call, handed);
    if (tw_alone(&call, engine->get != NULL))
      tw_finish(&call, engine->get(call.part->part, what, handed->name, handed->array, handed->how, call.status));
  }
  return tw_end(&call);
}

int tradewind_put(tradewind_component component, const char *name, const tradewind_array *array,
                  const tradewind_how *how, tradewind_status *status) {
  return put(component, "put", TW_VALUE, &(tw_handed){name, array, how}, status);
}

int tradewind_put_tangent(tradewind_component component, const char *name, const tradewind_array *array,
                          const tradewind_how *how, tradewind_status *status) {
  return put(component, "put_tangent", TW_TANGENT, &(tw_handed){name, array, how}, status);
}

int tradewind_put_adjoint(tradewind_component component, const char *name, const tradewind_array *array,
                          const tradewind_how *how, tradewind_status *status) {
  return put(component, "put_adjoint", TW_ADJOINT, &(tw_handed){name, array, how}, status);
}

int tradewind_get(tradewind_component component, const char *name, const tradewind_array *array,
                  const tradewind_how *how, tradewind_status *status) {
  return get(component, "get", TW_VALUE, &(tw_handed){name, array, how}, status);
}

int tradewind_get_tangent(tradewind_component component, const char *name, const tradewind_array *array,
                          const tradewind_how *how, tradewind_status *status) {
  return get(component, "get_tangent", TW_TANGENT, &(tw_handed){name, array, how}, status);
}

int tradewind_get_adjoint(tradewind_component component, const char *name, const tradewind_array *array,
                          const tradewind_how *how, tradewind_status *status) {
  return get(component, "get_adjoint", TW_ADJOINT, &(tw_handed){name, array, how}, status);
}

/* ---- the host's own memory ------------------------------------------------------------------------------------ */

/* Whether a field is written by the component, so that what stands there before a run does not matter. */
static int written(const tw_part *part, const char *name) {
  const tw_engine *engine = part->session->engine;
  tradewind_status ignored;
  tradewind_field field;
  int32_t count = 0;
  tw_clear(&ignored);
  if (engine->fields == NULL || engine->field_of == NULL) return 0;
  if (engine->fields(part->part, &count, &ignored) != TRADEWIND_OK) return 0;
  for (int32_t number = 1; number <= count; ++number)
    if (engine->field_of(part->part, number, &field, &ignored) == TRADEWIND_OK && strcmp(field.name, name) == 0)
      return field.role == TRADEWIND_EXPORT;
  return 0;
}

static void bind(tw_call *call, const tw_handed *handed) {
  const tw_engine *engine = call->session->engine;
  tw_finish(call, engine->bind(call->part->part, handed->name, handed->array, handed->how, call->status));
  if (call->status->code != TRADEWIND_OK) return;
  if (handed->how == NULL || handed->how->first == 0) tw_bindings_drop(&call->part->bindings, handed->name);
  if (!written(call->part, handed->name))
    tw_bindings_add(&call->part->bindings, handed->name, handed->array, handed->how ? handed->how->first : 0,
                    call->status);
}

int tradewind_bind(tradewind_component component, const char *name, const tradewind_array *array,
                   const tradewind_how *how, tradewind_status *status) {
  const tw_handed handed = {name, array, how};
  tw_call call;
  if (tw_begin_part(&call, component, "bind", status)) {
    check_handed(&call, &handed);
    if (tw_alone(&call, call.session->engine->bind != NULL)) bind(&call, &handed);
  }
  return tw_end(&call);
}

/* ---- runs and derivatives ------------------------------------------------------------------------------------- */

int tradewind_run(tradewind_component component, double time, double dt, tradewind_status *status) {
  tw_call call;
  if (tw_begin_part(&call, component, "run", status)) {
    const tw_engine *engine = call.session->engine;
    tw_bindings_check(&call.part->bindings, call.status);
    if (tw_together(&call, engine->run != NULL)) tw_finish(&call, engine->run(call.part->part, time, dt, call.status));
  }
  return tw_end(&call);
}

int tradewind_tangent(tradewind_component component, tradewind_status *status) {
  tw_call call;
  if (tw_begin_part(&call, component, "tangent", status) && tw_together(&call, call.session->engine->tangent != NULL))
    tw_finish(&call, call.session->engine->tangent(call.part->part, call.status));
  return tw_end(&call);
}

int tradewind_adjoint(tradewind_component component, tradewind_status *status) {
  tw_call call;
  if (tw_begin_part(&call, component, "adjoint", status) && tw_together(&call, call.session->engine->adjoint != NULL))
    tw_finish(&call, call.session->engine->adjoint(call.part->part, call.status));
  return tw_end(&call);
}

int tradewind_dot_test(tradewind_component component, double *error, tradewind_status *status) {
  tw_call call;
  double unwanted;
  if (tw_begin_part(&call, component, "dot_test", status) && tw_together(&call, call.session->engine->dot_test != NULL))
    tw_finish(&call, call.session->engine->dot_test(call.part->part, error ? error : &unwanted, call.status));
  return tw_end(&call);
}

int tradewind_register(tradewind_component component, tradewind_step step, tradewind_step tangent,
                       tradewind_step adjoint, void *context, tradewind_status *status) {
  tw_call call;
  if (tw_begin_part(&call, component, "register", status)) {
    const tw_engine *engine = call.session->engine;
    if (step == NULL) tw_fail(call.status, TRADEWIND_MODEL, NULL, NULL, "register was given no step");
    if (tw_alone(&call, engine->enroll != NULL))
      tw_finish(&call,
                engine->enroll(call.part->part, component, step, tangent, adjoint, context, call.status));
  }
  return tw_end(&call);
}
