#include "arrays.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { WHOLE = 256 }; /* elements looked at before it is asked whether one was found */

int64_t tw_element_size(int32_t kind) {
  switch (kind) {
    case TRADEWIND_REAL32:
    case TRADEWIND_INT32: return 4;
    case TRADEWIND_REAL64:
    case TRADEWIND_INT64: return 8;
    default: return 0;
  }
}

int64_t tw_array_count(const tradewind_array *array) {
  int64_t count = 1;
  for (int axis = 0; axis < array->rank; ++axis) count *= array->extent[axis];
  return count;
}

static int check_strides(const tradewind_array *array, const char *field, tradewind_status *status) {
  for (int axis = 0; axis < array->rank; ++axis)
    if (array->extent[axis] > 1 && array->stride[axis] == 0)
      return tw_fail(status, TRADEWIND_SHAPE, NULL, field,
                     "dimension %d of the array repeats one element (stride 0): nothing is broadcast", axis + 1);
  return TRADEWIND_OK;
}

static int check_extents(const tradewind_array *array, const char *field, tradewind_status *status) {
  int64_t count = 1;
  for (int axis = 0; axis < array->rank; ++axis) {
    const int64_t extent = array->extent[axis];
    if (extent < 0 || (extent > 0 && count > INT64_MAX / 8 / extent))
      return tw_fail(status, TRADEWIND_SHAPE, NULL, field, "extent %d of the array is %" PRId64, axis + 1, extent);
    count *= extent;
  }
  return count > 0 ? check_strides(array, field, status) : TRADEWIND_OK; /* strides of nothing are anything */
}

/* An array that was never allocated has extents that nobody has set. */
static int has_memory(const tradewind_array *array) {
  int there = array->data != NULL;
  for (int axis = 0; axis < array->rank; ++axis) there |= array->extent[axis] == 0;
  return there;
}

static int check_how(const tradewind_how *how, const char *field, tradewind_status *status) {
  if (how != NULL && how->first < 0)
    return tw_fail(status, TRADEWIND_SHAPE, NULL, field, "first is %" PRId64 ": columns are counted from 1",
                   how->first);
  return TRADEWIND_OK;
}

int tw_check_array(const tradewind_array *array, const tradewind_how *how, const char *field,
                   tradewind_status *status) {
  if (array == NULL) return tw_fail(status, TRADEWIND_SHAPE, NULL, field, "no array was given");
  if (tw_element_size(array->kind) == 0)
    return tw_fail(status, TRADEWIND_KIND, NULL, field,
                   "the array is none of real32, real64, int32 and int64 (kind %" PRId32 ")", array->kind);
  if (array->rank < 0 || array->rank > TRADEWIND_MAX_RANK)
    return tw_fail(status, TRADEWIND_SHAPE, NULL, field, "the array has %" PRId32 " dimensions, 0 to %d are possible",
                   array->rank, TRADEWIND_MAX_RANK);
  if (!has_memory(array))
    return tw_fail(status, TRADEWIND_SHAPE, NULL, field, "the array has no memory: is it allocated or associated?");
  if (check_extents(array, field, status) != TRADEWIND_OK) return status->code;
  return check_how(how, field, status);
}

/* ---- NaN and infinity: all bits of the exponent are set, so that one more in its last place carries into the sign's.
 * By integers, since -ffast-math takes it for granted that there is no NaN; by sums, since these are done several at
 * a time by any processor, comparisons of 64 bits are not. */

static int odd32(const char *data, int64_t count, int64_t stride) {
  uint32_t odd = 0;
  for (int64_t i = 0; i < count; ++i) {
    uint32_t bits;
    memcpy(&bits, data + i * stride, sizeof bits);
    odd |= (bits & 0x7F800000u) + 0x00800000u;
  }
  return (int)(odd >> 31);
}

static int odd64(const char *data, int64_t count, int64_t stride) {
  uint64_t odd = 0;
  for (int64_t i = 0; i < count; ++i) {
    uint64_t bits;
    memcpy(&bits, data + i * stride, sizeof bits);
    odd |= (bits & 0x7FF0000000000000u) + 0x0010000000000000u;
  }
  return (int)(odd >> 63);
}

static int odd(const char *data, int64_t count, int64_t stride, int32_t kind) {
  if (kind == TRADEWIND_REAL32) /* a constant stride lets the compiler use vectors */
    return stride == 4 ? odd32(data, count, 4) : odd32(data, count, stride);
  return stride == 8 ? odd64(data, count, 8) : odd64(data, count, stride);
}

/* Index of the first odd element along one line; `count` where there is none. */
static int64_t first_odd(const char *data, int64_t count, int64_t stride, int32_t kind) {
  for (int64_t i = 0; i < count; i += WHOLE) {
    const int64_t length = count - i < WHOLE ? count - i : WHOLE;
    if (!odd(data + i * stride, length, stride, kind)) continue;
    while (!odd(data + i * stride, 1, stride, kind)) ++i;
    return i;
  }
  return count;
}

/* The next line along the first dimension; false after the last. */
static int next_line(const tradewind_array *array, int64_t *index, const char **data) {
  for (int axis = 1; axis < array->rank; ++axis) {
    *data += array->stride[axis];
    if (++index[axis] < array->extent[axis]) return 1;
    *data -= array->stride[axis] * array->extent[axis];
    index[axis] = 0;
  }
  return 0;
}

static int tell_odd(const tradewind_array *array, const int64_t *index, const char *field, tradewind_status *status) {
  char where[TRADEWIND_MAX_RANK * 24] = "";
  size_t used = 0;
  for (int axis = 0; axis < array->rank && used < sizeof where; ++axis)
    used += (size_t)snprintf(where + used, sizeof where - used, "%s%" PRId64, axis ? ", " : "", index[axis] + 1);
  return tw_fail(status, TRADEWIND_DATA, NULL, field, "the array holds NaN or infinity, first at (%s)", where);
}

int tw_check_finite(const tradewind_array *array, const char *field, tradewind_status *status) {
  if (array->kind != TRADEWIND_REAL32 && array->kind != TRADEWIND_REAL64) return TRADEWIND_OK;
  if (tw_array_count(array) == 0) return TRADEWIND_OK;
  int64_t index[TRADEWIND_MAX_RANK] = {0};
  const int64_t length = array->rank > 0 ? array->extent[0] : 1, stride = array->rank > 0 ? array->stride[0] : 0;
  const char *data = array->data;
  do {
    index[0] = first_odd(data, length, stride, array->kind);
    if (index[0] < length) return tell_odd(array, index, field, status);
  } while (next_line(array, index, &data));
  return TRADEWIND_OK;
}
