/* api.h: the functions of CPython that are called, declared by hand and found at run time, so that the
 * library is built without Python's headers, links no libpython, and works with any version from 3.11 on. All
 * belong to the limited API but those that start the interpreter. */
#ifndef TW_PYTHON_API_H
#define TW_PYTHON_API_H

#include <stddef.h>
#include <stdint.h>

#include "../../tradewind.h"

typedef struct tw_object tw_object; /* PyObject */
typedef ptrdiff_t tw_length;        /* Py_ssize_t */

/* Py_buffer, laid down by the limited API since 3.11. */
typedef struct {
  void *buf;
  tw_object *obj;
  tw_length len, itemsize;
  int readonly, ndim;
  char *format;
  tw_length *shape, *strides, *suboffsets;
  void *internal;
} tw_buffer;

typedef tw_object *(*tw_function)(tw_object *self, tw_object *arguments);

/* PyMethodDef */
typedef struct {
  const char *name;
  tw_function function;
  int flags;
  const char *doc;
} tw_method;

enum { TW_POSITIONAL = 1 }; /* METH_VARARGS */

/* PyStatus, as the functions that start an interpreter return it. */
typedef struct {
  int kind; /* 0: fine, 1: error, 2: exit */
  const char *function, *message;
  int exit_code;
} tw_outcome;

/* PyPreConfig on systems other than Windows; the same from 3.8 to 3.14. */
typedef struct {
  int config_init, parse_argv, isolated, use_environment, configure_locale, coerce_c_locale, coerce_c_locale_warn;
  int utf8_mode, dev_mode, allocator;
  int room[8]; /* should it ever grow */
} tw_preconfig;

/* returned type, name, arguments */
#define TW_PYTHON_FUNCTIONS(F)                                                                               \
  F(int, Py_IsInitialized, (void))                                                                           \
  F(const char *, Py_GetVersion, (void))                                                                     \
  F(void, Py_IncRef, (tw_object *))                                                                          \
  F(void, Py_DecRef, (tw_object *))                                                                          \
  F(int, PyGILState_Ensure, (void))                                                                          \
  F(void, PyGILState_Release, (int))                                                                         \
  F(void *, PyEval_SaveThread, (void))                                                                       \
  F(void, PyEval_RestoreThread, (void *))                                                                    \
  F(tw_object *, PyImport_ImportModule, (const char *))                                                      \
  F(tw_object *, PyObject_GetAttrString, (tw_object *, const char *))                                        \
  F(int, PyObject_IsTrue, (tw_object *))                                                                     \
  F(tw_object *, PyObject_CallObject, (tw_object *, tw_object *))                                            \
  F(tw_object *, PyObject_CallNoArgs, (tw_object *))                                                         \
  F(tw_object *, PyObject_Vectorcall, (tw_object *, tw_object *const *, size_t, tw_object *))                \
  F(tw_object *, PyObject_Str, (tw_object *))                                                                \
  F(tw_object *, PyLong_FromLongLong, (long long))                                                           \
  F(long long, PyLong_AsLongLong, (tw_object *))                                                             \
  F(tw_object *, PyFloat_FromDouble, (double))                                                               \
  F(double, PyFloat_AsDouble, (tw_object *))                                                                 \
  F(tw_object *, PyBool_FromLong, (long))                                                                    \
  F(tw_object *, PyUnicode_DecodeUTF8, (const char *, tw_length, const char *))                              \
  F(tw_object *, PyUnicode_DecodeFSDefault, (const char *))                                                  \
  F(tw_object *, PyUnicode_AsEncodedString, (tw_object *, const char *, const char *))                       \
  F(char *, PyBytes_AsString, (tw_object *))                                                                 \
  F(tw_object *, PyTuple_New, (tw_length))                                                                   \
  F(int, PyTuple_SetItem, (tw_object *, tw_length, tw_object *))                                             \
  F(tw_length, PySequence_Size, (tw_object *))                                                               \
  F(tw_object *, PySequence_GetItem, (tw_object *, tw_length))                                               \
  F(int, PyList_Insert, (tw_object *, tw_length, tw_object *))                                               \
  F(tw_object *, PySys_GetObject, (const char *))                                                            \
  F(tw_object *, PyMemoryView_FromBuffer, (const tw_buffer *))                                               \
  F(tw_object *, PyCapsule_New, (void *, const char *, void (*)(tw_object *)))                               \
  F(void *, PyCapsule_GetPointer, (tw_object *, const char *))                                               \
  F(tw_object *, PyCMethod_New, (tw_method *, tw_object *, tw_object *, tw_object *))                        \
  F(int, PyArg_ParseTuple, (tw_object *, const char *, ...))                                                 \
  F(tw_object *, PyErr_Occurred, (void))                                                                     \
  F(void, PyErr_Clear, (void))                                                                               \
  F(void, PyErr_Fetch, (tw_object **, tw_object **, tw_object **))                                           \
  F(void, PyErr_NormalizeException, (tw_object **, tw_object **, tw_object **))                              \
  F(int, PyException_SetTraceback, (tw_object *, tw_object *))                                               \
  F(void, PyErr_SetString, (tw_object *, const char *))

/* Found only in some versions: NULL else. */
#define TW_PYTHON_STARTERS(F)                                                                                \
  F(void, PyPreConfig_InitIsolatedConfig, (tw_preconfig *))                                                  \
  F(tw_outcome, Py_PreInitialize, (const tw_preconfig *))                                                    \
  F(void, PyConfig_InitIsolatedConfig, (void *))                                                             \
  F(tw_outcome, PyConfig_SetBytesArgv, (void *, tw_length, char *const *))                                   \
  F(tw_outcome, Py_InitializeFromConfig, (const void *))                                                     \
  F(void, PyConfig_Clear, (void *))                                                                          \
  F(void *, PyInitConfig_Create, (void))                                                                     \
  F(void, PyInitConfig_Free, (void *))                                                                       \
  F(int, PyInitConfig_SetInt, (void *, const char *, int64_t))                                               \
  F(int, PyInitConfig_SetStr, (void *, const char *, const char *))                                          \
  F(int, PyInitConfig_GetError, (void *, const char **))                                                     \
  F(int, Py_InitializeFromInitConfig, (void *))

typedef struct {
#define TW_MEMBER(type, name, arguments) type(*name) arguments;
  TW_PYTHON_FUNCTIONS(TW_MEMBER)
  TW_PYTHON_STARTERS(TW_MEMBER)
#undef TW_MEMBER
  tw_object *none, **runtime_error; /* borrowed */
} tw_python;

/* Fill in what `library` (of dlopen) exports. */
int tw_python_load(tw_python *python, void *library, tradewind_status *status);

#endif
