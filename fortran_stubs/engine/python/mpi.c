/* mpi4py must use the MPI that the host runs: a second one in the process would wait for ranks for ever. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* dladdr, RTLD_NOLOAD */
#endif
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#include "../beside.h"
#include "engine.h"

#ifndef TRADEWIND_HAVE_MPI

void tw_python_lend_mpi(void) {}

#else
#include <mpi.h>

#ifdef MPICH_VERSION
/* mpi4py's wheel asks the loader for libmpi.so.12, as the common ABI of MPICH's kin is called; distributions
 * call the same library otherwise (libmpich.so.12). A library of that name with nothing in it satisfies the
 * loader, and the functions then come from the host's MPI, which is visible to all. */
static void stand_in(void) {
  char path[4096];
  tw_beside("libtradewind_mpi12.so", path, sizeof path);
  if (path[0] != '\0') dlopen(path, RTLD_NOW | RTLD_GLOBAL);
}

static int is_loaded(const char *name) {
  void *library = dlopen(name, RTLD_NOW | RTLD_NOLOAD);
  if (library != NULL) dlclose(library);
  return library != NULL;
}
#endif

void tw_python_lend_mpi(void) {
  Dl_info host;
  int (*address)(int *) = MPI_Initialized;
  void *function;
  memcpy(&function, &address, sizeof function);
  if (dladdr(function, &host) == 0 || host.dli_fname == NULL) return;
  dlopen(host.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL); /* it may have been loaded for the host alone */
#ifdef MPICH_VERSION
  if (!is_loaded("libmpi.so.12")) stand_in();
#endif
}

#endif
