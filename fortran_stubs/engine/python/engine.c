/* The engine that runs tradewind itself, in an interpreter within the host. */
#include <stdlib.h>

#include "../agreement.h"
#include "engine.h"
#include "../status.h"
#include "../threads.h"

/* ---- opening -------------------------------------------------------------------------------------------------- */

/* Whether mpi4py has the host's MPI; told before ranks begin to talk. */
static int prove_company(const tw_opening *opening, tradewind_status *status) {
  char version[512];
  if (!opening->has_comm) return TRADEWIND_OK;
  const tw_python *python = tw_python_running();
  tw_mpi_version(version, sizeof version);
  tw_object *arguments[] = {python->PyLong_FromLongLong(opening->comm), python->PyLong_FromLongLong(opening->size),
                            tw_text_object(version)};
  return tw_outcome_of(tw_call_object(tw_hosting_names()->company, 3, arguments), status);
}

/* Libraries that are loaded on the way read how many threads they may start. */
static int prepare_locked(const tw_opening *opening, tradewind_status *status) {
  if (tw_hosting_import(status) != TRADEWIND_OK) return status->code;
  if (tw_outcome_of(tw_call_object(tw_hosting_names()->settle, 0, NULL), status) != TRADEWIND_OK) return status->code;
  return prove_company(opening, status);
}

static int prepare(const tw_opening *opening, tradewind_status *status) {
  tw_told told;
  if (opening->has_comm) tw_python_lend_mpi();
  const tw_python *python = tw_python_start(status);
  if (python == NULL) return status->code;
  const int lock = python->PyGILState_Ensure();
  tw_threads_tell(&told);
  const int code = prepare_locked(opening, status);
  tw_threads_untell(&told);
  python->PyGILState_Release(lock);
  return code;
}

static int open_locked(const tw_opening *opening, void **state, tradewind_status *status) {
  tw_told told;
  const tw_python *python = tw_python_running();
  tw_object *arguments[] = {python->PyUnicode_DecodeFSDefault(opening->config),
                            opening->has_comm ? python->PyLong_FromLongLong(opening->comm) : tw_none()};
  tw_threads_tell(&told);
  *state = tw_call_object(tw_hosting_names()->open, 2, arguments);
  tw_threads_untell(&told);
  return *state != NULL ? TRADEWIND_OK : tw_tell_exception(status);
}

static int open_session(const tw_opening *opening, void **state, tradewind_status *status) {
  const tw_python *python = tw_python_running();
  const int lock = python->PyGILState_Ensure();
  const int code = open_locked(opening, state, status);
  python->PyGILState_Release(lock);
  return code;
}

static void close_session(void *state) {
  const tw_python *python = tw_python_running();
  const int lock = python->PyGILState_Ensure();
  python->Py_DecRef(state);
  python->PyGILState_Release(lock);
}

static int abort_on_error(void *state) {
  const tw_python *python = tw_python_running();
  const int lock = python->PyGILState_Ensure();
  tw_object *answer = python->PyObject_GetAttrString(state, "abort_on_error");
  const int abort = answer == NULL || python->PyObject_IsTrue(answer) != 0;
  if (answer != NULL) python->Py_DecRef(answer);
  python->PyErr_Clear();
  python->PyGILState_Release(lock);
  return abort;
}

/* ---- components ----------------------------------------------------------------------------------------------- */

static int look_up_methods(tw_python_part *part) {
  const tw_python *python = tw_python_running();
  part->put = python->PyObject_GetAttrString(part->component, "put");
  part->get = part->put ? python->PyObject_GetAttrString(part->component, "get") : NULL;
  part->bind = part->get ? python->PyObject_GetAttrString(part->component, "bind") : NULL;
  part->run = part->bind ? python->PyObject_GetAttrString(part->component, "run") : NULL;
  return part->run != NULL;
}

static void drop(tw_object *object) {
  if (object != NULL) tw_python_running()->Py_DecRef(object);
}

static void release_locked(tw_python_part *part) {
  drop(part->put);
  drop(part->get);
  drop(part->bind);
  drop(part->run);
  drop(part->declared);
  drop(part->component);
  free(part);
}

void tw_python_release(void *part) {
  const tw_python *python = tw_python_running();
  const int lock = python->PyGILState_Ensure();
  release_locked(part);
  python->PyGILState_Release(lock);
}

static int find_component(tw_object *session, const char *name, void **part, tradewind_status *status) {
  tw_object *argument = tw_text_object(name), *component = tw_call_method(session, "component", 1, &argument);
  if (component == NULL) return tw_tell_exception(status);
  tw_python_part *made = calloc(1, sizeof *made);
  if (made == NULL) {
    drop(component);
    return tw_fail(status, TRADEWIND_MEMORY, name, NULL, "no memory for a component");
  }
  made->component = component;
  *part = made;
  if (look_up_methods(made)) return TRADEWIND_OK;
  tw_tell_exception(status);
  release_locked(made);
  return status->code;
}

static int component_of(void *state, const char *name, void **part, tradewind_status *status) {
  const tw_python *python = tw_python_running();
  const int lock = python->PyGILState_Ensure();
  const int code = find_component(state, name, part, status);
  python->PyGILState_Release(lock);
  return code;
}

/* ---- the run -------------------------------------------------------------------------------------------------- */

static int ask(void *state, const char *name, int n, tw_object **arguments, tradewind_status *status) {
  return tw_outcome_of(tw_call_method(state, name, n, arguments), status);
}

static int do_plainly(void *state, const char *name, tradewind_status *status) {
  const tw_python *python = tw_python_running();
  const int lock = python->PyGILState_Ensure();
  const int code = ask(state, name, 0, NULL, status);
  python->PyGILState_Release(lock);
  return code;
}

static int do_file(void *state, const char *name, const char *path, tradewind_status *status) {
  const tw_python *python = tw_python_running();
  const int lock = python->PyGILState_Ensure();
  tw_object *argument = python->PyUnicode_DecodeFSDefault(path);
  const int code = ask(state, name, 1, &argument, status);
  python->PyGILState_Release(lock);
  return code;
}

static int advance_tangent(void *state, tradewind_status *status) {
  return do_plainly(state, "advance_tangent", status);
}

static int advance_adjoint(void *state, tradewind_status *status) {
  return do_plainly(state, "advance_adjoint", status);
}

static int closing(void *state, tradewind_status *status) { return do_plainly(state, "close", status); }
static int analyse(void *state, tradewind_status *status) { return do_plainly(state, "analyse", status); }
static int solve(void *state, tradewind_status *status) { return do_plainly(state, "solve", status); }

static int checkpoint(void *state, const char *path, tradewind_status *status) {
  return do_file(state, "checkpoint", path, status);
}

static int restore(void *state, const char *path, tradewind_status *status) {
  return do_file(state, "restore", path, status);
}

static int report(void *state, const char *path, tradewind_status *status) {
  return do_file(state, "report", path, status);
}

static int advance(void *state, double until, tradewind_status *status) {
  const tw_python *python = tw_python_running();
  const int lock = python->PyGILState_Ensure();
  tw_object *argument = python->PyFloat_FromDouble(until);
  const int code = ask(state, "advance", 1, &argument, status);
  python->PyGILState_Release(lock);
  return code;
}

static int record(void *state, int32_t on, tradewind_status *status) {
  const tw_python *python = tw_python_running();
  const int lock = python->PyGILState_Ensure();
  tw_object *argument = python->PyBool_FromLong(on != 0);
  const int code = ask(state, "record", 1, &argument, status);
  python->PyGILState_Release(lock);
  return code;
}

/* A number that Python has answered; drops it. */
static int number(tw_object *answer, double *value, tradewind_status *status) {
  const tw_python *python = tw_python_running();
  if (answer != NULL) *value = python->PyFloat_AsDouble(answer);
  drop(answer);
  return answer == NULL || python->PyErr_Occurred() ? tw_tell_exception(status) : TRADEWIND_OK;
}

static int read_times(tw_object *times, double **values, tradewind_status *status) {
  const tw_python *python = tw_python_running();
  int code = times ? TRADEWIND_OK : tw_tell_exception(status);
  for (int i = 0; i < 3 && code == TRADEWIND_OK; ++i)
    code = number(python->PySequence_GetItem(times, i), values[i], status);
  drop(times);
  return code;
}

static int times_of(void *state, double *now, double *stop, double *step, tradewind_status *status) {
  const tw_python *python = tw_python_running();
  const int lock = python->PyGILState_Ensure();
  const int code = read_times(tw_call_method(state, "times", 0, NULL), (double *[]){now, stop, step}, status);
  python->PyGILState_Release(lock);
  return code;
}

static int seconds(void *state, const char *date, double *value, tradewind_status *status) {
  const tw_python *python = tw_python_running();
  const int lock = python->PyGILState_Ensure();
  tw_object *argument = tw_text_object(date);
  const int code = number(tw_call_method(state, "seconds", 1, &argument), value, status);
  python->PyGILState_Release(lock);
  return code;
}

static int ping(void *state) {
  const tw_python *python = tw_python_running();
  (void)state;
  const int lock = python->PyGILState_Ensure();
  tw_object *nothing = python->PyObject_CallNoArgs(tw_hosting_names()->nothing);
  drop(nothing);
  python->PyGILState_Release(lock);
  return nothing != NULL ? TRADEWIND_OK : TRADEWIND_INTERNAL;
}

const tw_engine *tw_python_engine(void) {
  static const tw_engine engine = {
      .name = "python", .prepare = prepare, .open = open_session, .close = close_session,
      .abort_on_error = abort_on_error, .component_of = component_of, .release = tw_python_release,
      .advance = advance, .time = times_of, .seconds = seconds, .record = record,
      .advance_tangent = advance_tangent, .advance_adjoint = advance_adjoint, .analyse = analyse, .solve = solve,
      .checkpoint = checkpoint, .restore = restore, .report = report, .set_grid = tw_python_set_grid,
      .describe = tw_python_describe, .fields = tw_python_fields, .field_of = tw_python_field_of,
      .put = tw_python_put, .bind = tw_python_bind, .get = tw_python_get, .run = tw_python_run,
      .tangent = tw_python_tangent, .adjoint = tw_python_adjoint, .dot_test = tw_python_dot_test,
      .enroll = tw_python_enroll, .ping = ping, .closing = closing,
  };
  return &engine;
}
