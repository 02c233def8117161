/* descriptors.h: what tradewind.f90 calls besides tradewind.h. */
#ifndef TRADEWIND_DESCRIPTORS_H
#define TRADEWIND_DESCRIPTORS_H

#include "../tradewind.h"

/* What `exchange` does; the same order stands in tradewind.f90. */
typedef enum {
  TW_DO_PUT,
  TW_DO_PUT_TANGENT,
  TW_DO_PUT_ADJOINT,
  TW_DO_GET,
  TW_DO_GET_TANGENT,
  TW_DO_GET_ADJOINT,
  TW_DO_BIND
} tw_action;

enum { TW_CAST = 1, TW_CONVERT = 2 };

/* The procedures of a Fortran host's step, which C only passes on. */
typedef struct {
  void (*step)(void);
  void (*tangent)(void);
  void (*adjoint)(void);
} tw_steps;

/* Put, get or bind: texts come with their lengths, padded by blanks or not; units may be NULL. */
int tradewind_fortran_exchange(int64_t component, int action, const char *name, int64_t length,
                               const tradewind_array *array, const char *units, int64_t units_length, int64_t first,
                               int options, tradewind_status *status);

/* Register a Fortran host's step: `step`, `tangent` and `adjoint` find the host's procedures in `steps`. */
int tradewind_fortran_register(int64_t component, const tw_steps *steps, tradewind_step step, tradewind_step tangent,
                               tradewind_step adjoint, tradewind_status *status);

#endif
