#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "api.h"

#include <dlfcn.h>
#include <string.h>

#include "../engine.h"

/* A pointer to data and one to a function have the same size wherever there is dlsym. */
static int find(void *library, const char *name, void *slot) {
  void *address = dlsym(library, name);
  memcpy(slot, &address, sizeof address);
  return address != NULL;
}

static const char *find_all(tw_python *python, void *library) {
#define TW_FIND(type, name, arguments) \
  if (!find(library, #name, &python->name)) return #name;
  TW_PYTHON_FUNCTIONS(TW_FIND)
#undef TW_FIND
  if (!find(library, "_Py_NoneStruct", &python->none)) return "_Py_NoneStruct";
  if (!find(library, "PyExc_RuntimeError", &python->runtime_error)) return "PyExc_RuntimeError";
  return NULL;
}

int tw_python_load(tw_python *python, void *library, tradewind_status *status) {
  const char *missing = find_all(python, library);
  if (missing != NULL)
    return tw_fail(status, TRADEWIND_PYTHON, NULL, NULL, "this libpython has no %s: Python 3.11 or later is needed",
                   missing);
#define TW_TRY(type, name, arguments) find(library, #name, &python->name);
  TW_PYTHON_STARTERS(TW_TRY)
#undef TW_TRY
  return TRADEWIND_OK;
}
