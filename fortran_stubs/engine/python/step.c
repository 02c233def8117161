/* A step of the host, called from Python: the host gets its floating-point environment and its locks back. */
#include <stdlib.h>

#include "../call.h"
#include "engine.h"

static const char OF_HOST[] = "tradewind step of the host";

typedef struct {
  tradewind_component handle;
  tradewind_step step;
  void *context;
} tw_enrolled;

static void forget(tw_object *capsule) { free(tw_python_running()->PyCapsule_GetPointer(capsule, OF_HOST)); }

/* Other threads of the host may call the session while its step runs, so none of our locks is held then. */
static int step_out(const tw_enrolled *enrolled, tw_held *session, double time, double dt) {
  const tw_python *python = tw_python_running();
  tw_environment ours;
  const int depth = tw_unlock_all(session);
  void *thread = python->PyEval_SaveThread();
  tw_host_enter(&ours);
  const int code = enrolled->step(enrolled->context, enrolled->handle, time, dt);
  tw_host_leave(&ours);
  tw_lock_again(session, depth);
  python->PyEval_RestoreThread(thread);
  return code;
}

static tw_object *closed(const tw_python *python) {
  python->PyErr_SetString(*python->runtime_error, "the session that this step belongs to has been finalized");
  return NULL;
}

static tw_object *called(tw_object *capsule, tw_object *arguments) {
  const tw_python *python = tw_python_running();
  double time, dt;
  const tw_enrolled *enrolled = python->PyCapsule_GetPointer(capsule, OF_HOST);
  if (enrolled == NULL || !python->PyArg_ParseTuple(arguments, "dd", &time, &dt)) return NULL;
  const tw_part *part = tw_take_part(enrolled->handle);
  if (part == NULL) return closed(python);
  const int code = step_out(enrolled, part->session, time, dt);
  tw_drop(part->session);
  return python->PyLong_FromLongLong(code);
}

static tw_method method = {"step", called, TW_POSITIONAL, "Call the host's step at (time, dt), in seconds."};

/* A callable for Python; None where there is no step. */
static tw_object *callable(const tw_enrolled *enrolled) {
  const tw_python *python = tw_python_running();
  if (enrolled->step == NULL) return tw_none();
  tw_enrolled *kept = malloc(sizeof *kept);
  if (kept == NULL) return NULL;
  *kept = *enrolled;
  tw_object *capsule = python->PyCapsule_New(kept, OF_HOST, forget);
  if (capsule == NULL) {
    free(kept);
    return NULL;
  }
  tw_object *function = python->PyCMethod_New(&method, capsule, NULL, NULL);
  python->Py_DecRef(capsule); /* the function has it now */
  return function;
}

int tw_python_enroll(void *part, tradewind_component handle, tradewind_step step, tradewind_step tangent,
                     tradewind_step adjoint, void *context, tradewind_status *status) {
  const tw_python *python = tw_python_running();
  tw_python_part *self = part;
  const int lock = python->PyGILState_Ensure();
  tw_object *arguments[] = {callable(&(tw_enrolled){handle, step, context}),
                            callable(&(tw_enrolled){handle, tangent, context}),
                            callable(&(tw_enrolled){handle, adjoint, context})};
  const int code = tw_outcome_of(tw_call_method(self->component, "enroll", 3, arguments), status);
  python->PyGILState_Release(lock);
  return code;
}
