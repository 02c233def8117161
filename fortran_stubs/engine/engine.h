/* engine.h: what an engine does for the library. The library (library.c) checks handles, saves the
 * floating-point environment, agrees between ranks and follows the policy; an engine only does the work. */
#ifndef TRADEWIND_ENGINE_H
#define TRADEWIND_ENGINE_H

#include "../tradewind.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How a session was asked for. */
typedef struct {
  const char *config;
  int32_t has_comm;
  int32_t comm; /* a Fortran handle */
  int32_t rank, size;
} tw_opening;

typedef enum { TW_VALUE = 0, TW_TANGENT = 1, TW_ADJOINT = 2 } tw_what;

/* The entries of an engine; NULL where it does not do that (the library then says "unsupported"). All return a
 * code and fill `status` (never NULL, cleared before). `state` is what open() made, `part` what component_of() made. */
typedef struct {
  const char *name;
  int (*open)(const tw_opening *opening, void **state, tradewind_status *status);
  void (*close)(void *state);
  int (*abort_on_error)(void *state); /* the config's policy for calls without a status */
  int (*component_of)(void *state, const char *name, void **part, tradewind_status *status);
  void (*release)(void *part);
  int (*advance)(void *state, double until, tradewind_status *status);
  int (*time)(void *state, double *now, double *stop, double *step, tradewind_status *status);
  int (*seconds)(void *state, const char *date, double *seconds, tradewind_status *status);
  int (*record)(void *state, int32_t on, tradewind_status *status);
  int (*advance_tangent)(void *state, tradewind_status *status);
  int (*advance_adjoint)(void *state, tradewind_status *status);
  int (*analyse)(void *state, tradewind_status *status);
  int (*solve)(void *state, tradewind_status *status);
  int (*checkpoint)(void *state, const char *path, tradewind_status *status);
  int (*restore)(void *state, const char *path, tradewind_status *status);
  int (*report)(void *state, const char *path, tradewind_status *status);
  int (*set_grid)(void *part, int64_t n, const int64_t *global_index, const double *lon, const double *lat,
                  const int32_t *mask, tradewind_status *status);
  int (*describe)(void *part, tradewind_status *status);
  int (*fields)(void *part, int32_t *count, tradewind_status *status);
  int (*field_of)(void *part, int32_t number, tradewind_field *field, tradewind_status *status);
  int (*put)(void *part, tw_what what, const char *name, const tradewind_array *array, const tradewind_how *how,
             tradewind_status *status);
  int (*bind)(void *part, const char *name, const tradewind_array *array, const tradewind_how *how,
              tradewind_status *status);
  int (*get)(void *part, tw_what what, const char *name, const tradewind_array *array, const tradewind_how *how,
             tradewind_status *status);
  int (*run)(void *part, double time, double dt, tradewind_status *status);
  int (*tangent)(void *part, tradewind_status *status);
  int (*adjoint)(void *part, tradewind_status *status);
  int (*dot_test)(void *part, double *error, tradewind_status *status);
  int (*enroll)(void *part, tradewind_component handle, tradewind_step step, tradewind_step tangent,
                tradewind_step adjoint, void *context, tradewind_status *status);
  int (*ping)(void *state);
  /* What can fail on this rank alone before open(), which may communicate: NULL where there is nothing of that. */
  int (*prepare)(const tw_opening *opening, tradewind_status *status);
  /* What can fail when a session ends (a component's own ending); close() follows all the same. NULL: nothing. */
  int (*closing)(void *state, tradewind_status *status);
} tw_engine;

/* Engines. The frozen one lies in a library of its own (libtradewind_frozen, it needs libtorch), found beside this
 * one, which exports tw_frozen_engine. */
const tw_engine *tw_frozen_engine(void);
const tw_engine *tw_python_engine(void);
const tw_engine *tw_replay_engine(void);

/* `rank` of a status that only tells that another rank failed. */
#define TW_SECOND_HAND (-2)

/* Fill a status: printf-like; returns the code. */
int tw_fail(tradewind_status *status, int32_t code, const char *component, const char *field, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 5, 6)))
#endif
    ;

#ifdef __cplusplus
}
#endif
#endif
