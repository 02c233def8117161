#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_getaffinity */
#endif
#include "threads.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef __linux__
#include <sched.h>

static int pinned(void) {
  cpu_set_t mine;
  return sched_getaffinity(0, sizeof mine, &mine) == 0 ? CPU_COUNT(&mine) : 0;
}
#else
static int pinned(void) { return 0; }
#endif

int tw_threads(void) {
  const char *asked = getenv("OMP_NUM_THREADS");
  const int wanted = asked ? atoi(asked) : 0, mine = pinned();
  if (wanted > 0) return wanted;
  return mine > 0 && mine < (int)sysconf(_SC_NPROCESSORS_ONLN) ? mine : 1;
}

static const char *const names[TW_THREAD_NAMES] = {"OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"};

void tw_threads_tell(tw_told *told) {
  char count[16];
  snprintf(count, sizeof count, "%d", tw_threads());
  for (int i = 0; i < TW_THREAD_NAMES; ++i)
    told->set[i] = getenv(names[i]) == NULL && setenv(names[i], count, 0) == 0;
}

void tw_threads_untell(const tw_told *told) {
  for (int i = 0; i < TW_THREAD_NAMES; ++i)
    if (told->set[i]) unsetenv(names[i]);
}
