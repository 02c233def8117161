/* descriptors.c: from the descriptors of Fortran's standard (TS 29113) to ours. */
#include <ISO_Fortran_binding.h>
#include <string.h>

#include "descriptors.h"

/* A handle that no MPI gives out: the library then says that the communicator cannot be used. */
#define TW_NO_COMM INT32_MIN

void tradewind_fortran_array(const CFI_cdesc_t *array, tradewind_array *seen);
int32_t tradewind_fortran_comm(const CFI_cdesc_t *comm);

static int32_t kind_of(CFI_type_t type) {
  if (type == CFI_type_float) return TRADEWIND_REAL32;
  if (type == CFI_type_double) return TRADEWIND_REAL64;
  if (type == CFI_type_int32_t) return TRADEWIND_INT32;
  if (type == CFI_type_int64_t) return TRADEWIND_INT64;
  return 0; /* the library refuses it by name */
}

/* Ranks above seven (Fortran 2008 has fifteen) keep their number, so that the library can say so. */
void tradewind_fortran_array(const CFI_cdesc_t *array, tradewind_array *seen) {
  memset(seen, 0, sizeof *seen);
  seen->data = array->base_addr;
  seen->kind = kind_of(array->type);
  seen->rank = array->rank;
  for (int i = 0; i < array->rank && i < TRADEWIND_MAX_RANK; i++) {
    seen->extent[i] = array->dim[i].extent;
    seen->stride[i] = array->dim[i].sm;
  }
}

static int32_t narrowed(int64_t handle) {
  return handle >= INT32_MIN && handle <= INT32_MAX ? (int32_t)handle : TW_NO_COMM;
}

/* An integer of either size, or a type(MPI_Comm), which is a structure of one integer. */
int32_t tradewind_fortran_comm(const CFI_cdesc_t *comm) {
  int32_t narrow;
  int64_t wide;

  if (comm->base_addr == NULL || comm->rank != 0) return TW_NO_COMM;
  if (comm->type == CFI_type_int64_t) {
    memcpy(&wide, comm->base_addr, sizeof wide);
    return narrowed(wide);
  }
  if (comm->elem_len != sizeof narrow) return TW_NO_COMM;
  if (comm->type != CFI_type_int32_t && comm->type != CFI_type_struct && comm->type != CFI_type_other) return TW_NO_COMM;
  memcpy(&narrow, comm->base_addr, sizeof narrow);
  return narrow;
}
