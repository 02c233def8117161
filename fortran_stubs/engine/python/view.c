#include "../arrays.h"
#include "engine.h"

static char *format_of(int32_t kind) {
  switch (kind) {
    case TRADEWIND_REAL32: return "f";
    case TRADEWIND_REAL64: return "d";
    case TRADEWIND_INT32: return "i";
    default: return "q";
  }
}

/* The first extent of Fortran is the last of C. */
tw_object *tw_python_view(const tradewind_array *array) {
  static char empty; /* CPython wants an address even where there is nothing */
  tw_length shape[TRADEWIND_MAX_RANK], strides[TRADEWIND_MAX_RANK];
  for (int axis = 0; axis < array->rank; ++axis) {
    shape[array->rank - 1 - axis] = (tw_length)array->extent[axis];
    strides[array->rank - 1 - axis] = (tw_length)array->stride[axis];
  }
  const tw_length size = (tw_length)tw_element_size(array->kind);
  const tw_buffer buffer = {.buf = array->data ? array->data : &empty,
                            .len = (tw_length)tw_array_count(array) * size,
                            .itemsize = size,
                            .ndim = array->rank,
                            .format = format_of(array->kind),
                            .shape = shape,
                            .strides = strides};
  return tw_python_running()->PyMemoryView_FromBuffer(&buffer); /* copies shape and strides */
}
