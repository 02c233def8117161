/* find.h: which Python is embedded, and where its library lies. No process is started for that. */
#ifndef TW_PYTHON_FIND_H
#define TW_PYTHON_FIND_H

#include "../engine.h"

enum { TW_PATH = 4096 };

typedef struct {
  char executable[TW_PATH]; /* as named, so that its virtual environment is honoured */
  char base[TW_PATH];       /* folder of the python that a virtual environment was made from */
  char real[TW_PATH];       /* folder of the executable behind all links */
  int major, minor;         /* 0 where it cannot be told */
} tw_interpreter;

/* TRADEWIND_PYTHON, else the python of VIRTUAL_ENV, else the one recorded at build time, else python3 on PATH. */
int tw_find_interpreter(tw_interpreter *found, tradewind_status *status);
/* dlopen its library, with its names visible to all. */
void *tw_open_libpython(const tw_interpreter *interpreter, tradewind_status *status);

#endif
