#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* RTLD_DEFAULT */
#endif
#include "start.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../engine.h"
#include "find.h"
#include "../status.h"

enum { OLDEST_MINOR = 11, CONFIG_ROOM = 16384 };

static struct {
  pthread_mutex_t lock;
  int running;
  int broken; /* CPython cannot be started again after it failed half-way */
  tw_python python;
  tradewind_status reason;
} only = {.lock = PTHREAD_MUTEX_INITIALIZER};

const tw_python *tw_python_running(void) { return &only.python; }

/* ---- starting: isolated from the host's PYTHON* variables, its locale and its signals ------------------------ */

static int refused(const tw_outcome *outcome, const char *executable, tradewind_status *status) {
  if (outcome->kind == 0) return TRADEWIND_OK;
  return tw_fail(status, TRADEWIND_PYTHON, NULL, NULL, "Python of %s does not start: %s (what it printed tells more)",
                 executable, outcome->message ? outcome->message : "no reason given");
}

/* The program's name leads to its virtual environment. PyConfig's members move from version to version, so it
 * is only ever handed on, and the name travels as argv[0]. */
static int start_by_config(const tw_python *python, char *executable, tradewind_status *status) {
  tw_preconfig before;
  void *config = calloc(1, CONFIG_ROOM);
  if (config == NULL) return tw_fail(status, TRADEWIND_MEMORY, NULL, NULL, "no memory to start Python");
  python->PyPreConfig_InitIsolatedConfig(&before);
  before.utf8_mode = 1; /* files are UTF-8 whatever locale the host has chosen */
  tw_outcome outcome = python->Py_PreInitialize(&before);
  python->PyConfig_InitIsolatedConfig(config);
  if (outcome.kind == 0) outcome = python->PyConfig_SetBytesArgv(config, 1, &executable);
  if (outcome.kind == 0) outcome = python->Py_InitializeFromConfig(config);
  python->PyConfig_Clear(config);
  free(config);
  return refused(&outcome, executable, status);
}

/* From 3.14 on: by names. */
static int start_by_names(const tw_python *python, const char *executable, tradewind_status *status) {
  void *config = python->PyInitConfig_Create();
  if (config == NULL) return tw_fail(status, TRADEWIND_MEMORY, NULL, NULL, "no memory to start Python");
  const int failed = python->PyInitConfig_SetInt(config, "utf8_mode", 1) != 0 ||
                     python->PyInitConfig_SetStr(config, "program_name", executable) != 0 ||
                     python->Py_InitializeFromInitConfig(config) != 0;
  const char *reason = NULL;
  if (failed) python->PyInitConfig_GetError(config, &reason);
  const tw_outcome outcome = {failed, NULL, reason, 0};
  const int code = refused(&outcome, executable, status);
  python->PyInitConfig_Free(config);
  return code;
}

static int start(const tw_python *python, char *executable, tradewind_status *status) {
  if (python->PyInitConfig_Create != NULL) return start_by_names(python, executable, status);
  if (python->Py_InitializeFromConfig != NULL) return start_by_config(python, executable, status);
  return tw_fail(status, TRADEWIND_PYTHON, NULL, NULL, "this libpython cannot be embedded");
}

/* An isolated interpreter does not look at PYTHONPATH, but who sets it means it. */
static void add_paths(const tw_python *python) {
  const char *path = getenv("PYTHONPATH");
  tw_object *list = python->PySys_GetObject("path");
  for (tw_length place = 0; path != NULL && *path != '\0' && list != NULL;) {
    const size_t length = strcspn(path, ":");
    tw_object *folder = length ? python->PyUnicode_DecodeUTF8(path, (tw_length)length, "surrogateescape") : NULL;
    if (folder != NULL) {
      python->PyList_Insert(list, place++, folder);
      python->Py_DecRef(folder);
    }
    path += length + (path[length] == ':');
  }
  python->PyErr_Clear();
}

/* Whoever imports `signal` first gets SIGINT taken from the host, even when Python was told to leave signals alone:
 * so it is imported here, and the host's handler put back. */
static void leave_signals(const tw_python *python) {
  struct sigaction host;
  sigaction(SIGINT, NULL, &host);
  tw_object *module = python->PyImport_ImportModule("signal");
  sigaction(SIGINT, &host, NULL);
  if (module != NULL) python->Py_DecRef(module);
  python->PyErr_Clear();
}

static int recent(const tw_python *python, const tw_interpreter *interpreter, tradewind_status *status) {
  int major = 0, minor = 0;
  sscanf(python->Py_GetVersion(), "%d.%d", &major, &minor);
  if (major == 3 && minor >= OLDEST_MINOR) return TRADEWIND_OK;
  return tw_fail(status, TRADEWIND_PYTHON, NULL, NULL, "Python %d.%d of %s is too old: 3.%d or later is needed", major,
                 minor, interpreter->executable, OLDEST_MINOR);
}

/* ---- once per process ----------------------------------------------------------------------------------------- */

static int embed(tradewind_status *status) {
  tw_interpreter interpreter;
  if (tw_find_interpreter(&interpreter, status) != TRADEWIND_OK) return status->code;
  if (interpreter.minor != 0 && (interpreter.major != 3 || interpreter.minor < OLDEST_MINOR))
    return tw_fail(status, TRADEWIND_PYTHON, NULL, NULL, "%s is Python %d.%d: 3.%d or later is needed",
                   interpreter.executable, interpreter.major, interpreter.minor, OLDEST_MINOR);
  void *library = tw_open_libpython(&interpreter, status);
  if (library == NULL || tw_python_load(&only.python, library, status) != TRADEWIND_OK) return status->code;
  if (only.python.Py_IsInitialized()) return TRADEWIND_OK;
  if (recent(&only.python, &interpreter, status) != TRADEWIND_OK) return status->code;
  if (start(&only.python, interpreter.executable, status) != TRADEWIND_OK) {
    only.broken = 1;
    tw_copy_status(&only.reason, status);
    return status->code;
  }
  leave_signals(&only.python);
  add_paths(&only.python);
  only.python.PyEval_SaveThread(); /* between calls nobody holds the interpreter's lock */
  return TRADEWIND_OK;
}

/* The host may be a Python program itself. */
static int joined(tradewind_status *status) {
  int (*up)(void) = NULL;
  *(void **)&up = dlsym(RTLD_DEFAULT, "Py_IsInitialized");
  return up != NULL && up() && tw_python_load(&only.python, RTLD_DEFAULT, status) == TRADEWIND_OK;
}

static int run_once(tradewind_status *status) {
  if (only.running) return 1;
  if (only.broken) {
    tw_copy_status(status, &only.reason);
    return 0;
  }
  only.running = joined(status) || (status->code == TRADEWIND_OK && embed(status) == TRADEWIND_OK);
  return only.running;
}

const tw_python *tw_python_start(tradewind_status *status) {
  pthread_mutex_lock(&only.lock);
  const int running = run_once(status);
  pthread_mutex_unlock(&only.lock);
  return running ? &only.python : NULL;
}
