/* engine.h: the parts of the Python engine. Entries take the interpreter's lock themselves. */
#ifndef TW_PYTHON_ENGINE_H
#define TW_PYTHON_ENGINE_H

#include "../engine.h"
#include "calls.h"

/* A component: the methods that are called often are looked up once. */
typedef struct {
  tw_object *component;
  tw_object *put, *get, *bind, *run;
  tw_object *declared; /* what fields() has answered last */
} tw_python_part;

int tw_python_set_grid(void *part, int64_t n, const int64_t *global_index, const double *lon, const double *lat,
                       const int32_t *mask, tradewind_status *status);
int tw_python_describe(void *part, tradewind_status *status);
int tw_python_fields(void *part, int32_t *count, tradewind_status *status);
int tw_python_field_of(void *part, int32_t number, tradewind_field *field, tradewind_status *status);
int tw_python_put(void *part, tw_what what, const char *name, const tradewind_array *array, const tradewind_how *how,
                  tradewind_status *status);
int tw_python_get(void *part, tw_what what, const char *name, const tradewind_array *array, const tradewind_how *how,
                  tradewind_status *status);
int tw_python_bind(void *part, const char *name, const tradewind_array *array, const tradewind_how *how,
                   tradewind_status *status);
int tw_python_run(void *part, double time, double dt, tradewind_status *status);
int tw_python_tangent(void *part, tradewind_status *status);
int tw_python_adjoint(void *part, tradewind_status *status);
int tw_python_dot_test(void *part, double *error, tradewind_status *status);
int tw_python_enroll(void *part, tradewind_component handle, tradewind_step step, tradewind_step tangent,
                     tradewind_step adjoint, void *context, tradewind_status *status);
void tw_python_release(void *part);

/* A memoryview of an array of the host: its extents reversed, as C counts them. */
tw_object *tw_python_view(const tradewind_array *array);

/* See to it that mpi4py finds the host's MPI, before it is imported. */
void tw_python_lend_mpi(void);

#endif
