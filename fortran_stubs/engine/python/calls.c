#include "calls.h"

#include <string.h>

#include "../engine.h"
#include "../status.h"

static tw_hosting hosting;

const tw_hosting *tw_hosting_names(void) { return &hosting; }

/* ---- values --------------------------------------------------------------------------------------------------- */

tw_object *tw_none(void) {
  const tw_python *python = tw_python_running();
  python->Py_IncRef(python->none);
  return python->none;
}

tw_object *tw_text_object(const char *text) {
  if (text == NULL) return tw_none();
  return tw_python_running()->PyUnicode_DecodeUTF8(text, (tw_length)strlen(text), "surrogateescape");
}

/* Bytes first: a str may hold what UTF-8 has no room for. */
void tw_copy_text(tw_object *text, char *to, size_t room) {
  const tw_python *python = tw_python_running();
  tw_object *bytes = text ? python->PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace") : NULL;
  const char *content = bytes ? python->PyBytes_AsString(bytes) : NULL;
  tw_text(to, room, content);
  if (content == NULL) python->PyErr_Clear();
  if (bytes != NULL) python->Py_DecRef(bytes);
}

/* ---- calls ---------------------------------------------------------------------------------------------------- */

tw_object *tw_call_object(tw_object *callable, int n, tw_object **arguments) {
  const tw_python *python = tw_python_running();
  int whole = callable != NULL;
  for (int i = 0; i < n; ++i) whole = whole && arguments[i] != NULL;
  tw_object *result = whole ? python->PyObject_Vectorcall(callable, arguments, (size_t)n, NULL) : NULL;
  for (int i = 0; i < n; ++i)
    if (arguments[i] != NULL) python->Py_DecRef(arguments[i]);
  return result;
}

tw_object *tw_call_method(tw_object *object, const char *name, int n, tw_object **arguments) {
  const tw_python *python = tw_python_running();
  tw_object *method = python->PyObject_GetAttrString(object, name);
  tw_object *result = tw_call_object(method, n, arguments);
  if (method != NULL) python->Py_DecRef(method);
  return result;
}

int tw_outcome_of(tw_object *result, tradewind_status *status) {
  if (result == NULL) return tw_tell_exception(status);
  tw_python_running()->Py_DecRef(result);
  return TRADEWIND_OK;
}

/* ---- exceptions ----------------------------------------------------------------------------------------------- */

/* The exception that is set, with its traceback; a new reference. */
static tw_object *raised(const tw_python *python) {
  tw_object *type = NULL, *value = NULL, *traceback = NULL;
  python->PyErr_Fetch(&type, &value, &traceback);
  python->PyErr_NormalizeException(&type, &value, &traceback);
  if (value != NULL && traceback != NULL) python->PyException_SetTraceback(value, traceback);
  if (type != NULL) python->Py_DecRef(type);
  if (traceback != NULL) python->Py_DecRef(traceback);
  return value;
}

static void copy_item(tw_object *items, int number, char *to, size_t room) {
  const tw_python *python = tw_python_running();
  tw_object *item = python->PySequence_GetItem(items, number);
  tw_copy_text(item, to, room);
  if (item != NULL) python->Py_DecRef(item);
}

/* The code; -1 means that this rank only repeats what another has to tell. */
static void copy_code(tw_object *items, tradewind_status *status) {
  const tw_python *python = tw_python_running();
  tw_object *item = python->PySequence_GetItem(items, 0);
  const long long code = item ? python->PyLong_AsLongLong(item) : TRADEWIND_INTERNAL;
  if (item != NULL) python->Py_DecRef(item);
  python->PyErr_Clear();
  status->code = code > TRADEWIND_OK && code <= TRADEWIND_INTERNAL ? (int32_t)code : TRADEWIND_INTERNAL;
  if (code == -1) status->rank = TW_SECOND_HAND;
}

/* The last lines of a long traceback tell most. */
static void copy_end(const char *text, tradewind_status *status) {
  const size_t length = strlen(text), room = sizeof status->traceback;
  const char *from = length < room ? text : text + length - (room - 1);
  if (from != text) from += strcspn(from, "\n"); /* whole lines */
  tw_text(status->traceback, room, from);
}

static void copy_trace(tw_object *items, tradewind_status *status) {
  const tw_python *python = tw_python_running();
  tw_object *item = python->PySequence_GetItem(items, 4);
  tw_object *bytes = item ? python->PyUnicode_AsEncodedString(item, "utf-8", "backslashreplace") : NULL;
  const char *text = bytes ? python->PyBytes_AsString(bytes) : NULL;
  if (text != NULL) copy_end(text, status);
  if (bytes != NULL) python->Py_DecRef(bytes);
  if (item != NULL) python->Py_DecRef(item);
  python->PyErr_Clear();
}

/* tradewind.hosting knows its errors: (code, component, field, message, traceback). */
static int told(tw_object *error, tradewind_status *status) {
  const tw_python *python = tw_python_running();
  python->Py_IncRef(error);
  tw_object *items = hosting.told ? tw_call_object(hosting.told, 1, &error) : NULL;
  if (items == NULL) {
    if (hosting.told == NULL) python->Py_DecRef(error);
    python->PyErr_Clear();
    return 0;
  }
  copy_code(items, status);
  copy_item(items, 1, status->component, sizeof status->component);
  copy_item(items, 2, status->field, sizeof status->field);
  copy_item(items, 3, status->message, sizeof status->message);
  copy_trace(items, status);
  python->Py_DecRef(items);
  return 1;
}

/* "".join(traceback.format_exception(error)), or nothing. */
static void format(tw_object *error, char *to, size_t room) {
  const tw_python *python = tw_python_running();
  tw_object *module = python->PyImport_ImportModule("traceback"), *lines = NULL, *empty = tw_text_object("");
  python->Py_IncRef(error);
  if (module != NULL) lines = tw_call_method(module, "format_exception", 1, &error);
  else python->Py_DecRef(error);
  tw_object *joined = lines && empty ? tw_call_method(empty, "join", 1, &lines) : NULL;
  if (joined != NULL) tw_copy_text(joined, to, room);
  if (joined != NULL) python->Py_DecRef(joined);
  if (empty != NULL) python->Py_DecRef(empty);
  if (module != NULL) python->Py_DecRef(module);
  python->PyErr_Clear();
}

/* Before tradewind can be imported: whatever fails is the fault of this Python. */
static void told_plainly(tw_object *error, tradewind_status *status) {
  const tw_python *python = tw_python_running();
  char message[TRADEWIND_MESSAGE_LENGTH];
  tw_object *text = python->PyObject_Str(error);
  tw_copy_text(text, message, sizeof message);
  if (text != NULL) python->Py_DecRef(text);
  tw_fail(status, TRADEWIND_PYTHON, NULL, NULL, "%s", message);
  format(error, status->traceback, sizeof status->traceback);
}

int tw_tell_exception(tradewind_status *status) {
  const tw_python *python = tw_python_running();
  tw_object *error = raised(python);
  if (error == NULL) return tw_fail(status, TRADEWIND_INTERNAL, NULL, NULL, "Python failed without an exception");
  if (!told(error, status)) told_plainly(error, status);
  python->Py_DecRef(error);
  return (int)status->code;
}

/* ---- tradewind.hosting ---------------------------------------------------------------------------------------- */

static int take(const char *module_name, const char *name, tw_object **slot) {
  const tw_python *python = tw_python_running();
  if (*slot != NULL) return 1;
  tw_object *module = python->PyImport_ImportModule(module_name);
  if (module == NULL) return 0;
  *slot = python->PyObject_GetAttrString(module, name);
  python->Py_DecRef(module);
  return *slot != NULL;
}

static void where(char *to, size_t room) {
  tw_copy_text(tw_python_running()->PySys_GetObject("executable"), to, room);
}

int tw_hosting_import(tradewind_status *status) {
  static const char entry[] = "tradewind.hosting.entry", embedding[] = "tradewind.hosting.embedding";
  if (take(entry, "told", &hosting.told) && take(entry, "open", &hosting.open) &&
      take(entry, "nothing", &hosting.nothing) && take(embedding, "company", &hosting.company) &&
      take(embedding, "settle", &hosting.settle))
    return TRADEWIND_OK;
  char executable[1024], message[TRADEWIND_MESSAGE_LENGTH];
  tw_tell_exception(status);
  where(executable, sizeof executable);
  tw_text(message, sizeof message, status->message);
  tw_fail(status, TRADEWIND_PYTHON, NULL, NULL,
          "tradewind cannot be imported by %s: %s (install tradewind there, or set TRADEWIND_PYTHON to another python)",
          executable, message);
  return (int)status->code; /* the traceback stays */
}
