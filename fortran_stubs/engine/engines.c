#include "engines.h"

#include <string.h>

#ifndef TRADEWIND_STUB
#include <dlfcn.h>
#include <unistd.h>

#include "beside.h"
#endif

/* The stub has no other engine; a library built from parts may lack this one. */
__attribute__((weak)) const tw_engine *tw_replay_engine(void);

static const tw_engine *replay(tradewind_status *status) {
  if (tw_replay_engine != NULL) return tw_replay_engine();
  tw_fail(status, TRADEWIND_UNSUPPORTED, NULL, NULL, "this library was built without the replay engine");
  return NULL;
}

#ifdef TRADEWIND_STUB

const tw_engine *tw_choose_engine(const char *name, const char *config, tradewind_status *status) {
  (void)config;
  if (name == NULL || name[0] == '\0' || strcmp(name, "replay") == 0) return replay(status);
  tw_fail(status, TRADEWIND_UNSUPPORTED, NULL, NULL,
          "the engine %s is not in libtradewind_stub, which only replays: link libtradewind", name);
  return NULL;
}

#else

#ifdef __APPLE__
#define FROZEN "libtradewind_frozen.dylib"
#else
#define FROZEN "libtradewind_frozen.so"
#endif

typedef const tw_engine *(*tw_maker)(void);

static const tw_engine *frozen(tradewind_status *status) {
  char path[4096];
  tw_beside(FROZEN, path, sizeof path);
  const int here = path[0] != '\0' && access(path, R_OK) == 0;
  void *library = dlopen(here ? path : FROZEN, RTLD_NOW | RTLD_LOCAL);
  tw_maker make = NULL;
  if (library != NULL) *(void **)&make = dlsym(library, "tw_frozen_engine");
  if (make != NULL) return make();
  const char *reason = dlerror();
  tw_fail(status, TRADEWIND_UNSUPPORTED, NULL, NULL,
          "the frozen engine cannot be used: %s (build libtradewind with libtorch, or open the .safetensors)",
          reason ? reason : FROZEN " is another library");
  return NULL;
}

static int ends_with(const char *text, const char *ending) {
  const size_t length = strlen(text), tail = strlen(ending);
  return length >= tail && strcmp(text + length - tail, ending) == 0;
}

const tw_engine *tw_choose_engine(const char *name, const char *config, tradewind_status *status) {
  if (name == NULL || name[0] == '\0') name = ends_with(config, ".pt2") ? "frozen" : "python";
  if (strcmp(name, "python") == 0) return tw_python_engine();
  if (strcmp(name, "frozen") == 0) return frozen(status);
  if (strcmp(name, "replay") == 0) return replay(status);
  tw_fail(status, TRADEWIND_UNSUPPORTED, NULL, NULL, "there is no engine %s: python, frozen or replay", name);
  return NULL;
}

#endif
