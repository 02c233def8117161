/* copy.c: walks over the arrays of hosts, whatever their strides, in Fortran's order of elements. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"

size_t rp_kind_size(int32_t kind) { return kind == TRADEWIND_REAL32 || kind == TRADEWIND_INT32 ? 4 : 8; }

const char *rp_kind_word(int32_t kind) {
  static const char *const words[] = {"an unknown kind", "real32", "real64", "int32", "int64"};
  return words[kind >= TRADEWIND_REAL32 && kind <= TRADEWIND_INT64 ? kind : 0];
}

/* -1 where the product does not fit what memory can hold. */
int64_t rp_count(const rp_shape *shape) {
  int64_t count = 1;
  for (int32_t i = 0; i < shape->rank; i++) {
    int64_t extent = shape->extent[i] == RP_OPEN ? 1 : shape->extent[i];
    if (extent > 0 && count > (INT64_MAX / 8) / extent) return -1;
    count *= extent;
  }
  return count;
}

void rp_shape_text(const rp_shape *shape, char *text, size_t size) {
  size_t at = (size_t)snprintf(text, size, "(");
  for (int32_t i = 0; i < shape->rank && at < size; i++) {
    const char *before = i ? ", " : "";
    if (shape->extent[i] == RP_OPEN) at += (size_t)snprintf(text + at, size - at, "%scolumns", before);
    else at += (size_t)snprintf(text + at, size - at, "%s%lld", before, (long long)shape->extent[i]);
  }
  if (at < size) snprintf(text + at, size - at, ")");
}

rp_shape rp_shape_of(const tradewind_array *array) {
  rp_shape shape = {.rank = array->rank};
  for (int32_t i = 0; i < array->rank; i++) shape.extent[i] = array->extent[i];
  return shape;
}

int rp_same_shape(const rp_shape *a, const rp_shape *b) {
  return a->rank == b->rank && memcmp(a->extent, b->extent, (size_t)a->rank * sizeof a->extent[0]) == 0;
}

tradewind_array rp_view(void *data, int32_t kind, const rp_shape *shape) {
  tradewind_array array = {.data = data, .kind = kind, .rank = shape->rank};
  int64_t stride = (int64_t)rp_kind_size(kind);
  for (int32_t i = 0; i < shape->rank; i++) {
    array.extent[i] = shape->extent[i];
    array.stride[i] = stride;
    stride *= shape->extent[i];
  }
  return array;
}

tradewind_array rp_columns(const tradewind_array *whole, int64_t first, int64_t count) {
  tradewind_array part = *whole;
  if (part.data) part.data = (unsigned char *)part.data + (first - 1) * part.stride[0];
  part.extent[0] = count;
  return part;
}

/* A place in an array: the odometer turns its first dimension fastest. */
typedef struct {
  const tradewind_array *array;
  unsigned char *at;
  int64_t index[TRADEWIND_MAX_RANK];
  int64_t left;
} walk;

static walk begin(const tradewind_array *array) {
  rp_shape shape = rp_shape_of(array);
  walk here = {.array = array, .at = array->data, .left = rp_count(&shape)};
  return here;
}

static void turn(walk *here) {
  if (--here->left <= 0) return;
  for (int32_t i = 0; i < here->array->rank; i++) {
    here->at += here->array->stride[i];
    if (++here->index[i] < here->array->extent[i]) return;
    here->at -= here->array->stride[i] * here->array->extent[i];
    here->index[i] = 0;
  }
}

static double as_real(const unsigned char *at, int32_t kind) {
  float single;
  double real;
  int32_t whole;
  int64_t wide;
  if (kind == TRADEWIND_REAL32) return memcpy(&single, at, 4), single;
  if (kind == TRADEWIND_REAL64) return memcpy(&real, at, 8), real;
  if (kind == TRADEWIND_INT32) return memcpy(&whole, at, 4), whole;
  return memcpy(&wide, at, 8), (double)wide;
}

/* Whole numbers are clipped: a conversion that does not fit is undefined in C. */
static int64_t as_whole(double value) {
  if (!(value > -9.2e18)) return INT64_MIN;
  return value < 9.2e18 ? (int64_t)value : INT64_MAX;
}

static void set_real(unsigned char *at, int32_t kind, double value) {
  float single = (float)value;
  int64_t wide = as_whole(value);
  int32_t whole = wide > INT32_MAX ? INT32_MAX : wide < INT32_MIN ? INT32_MIN : (int32_t)wide;
  const void *from = kind == TRADEWIND_REAL32   ? (const void *)&single
                     : kind == TRADEWIND_REAL64 ? (const void *)&value
                     : kind == TRADEWIND_INT32  ? (const void *)&whole
                                                : (const void *)&wide;
  memcpy(at, from, rp_kind_size(kind));
}

/* Between whole numbers nothing goes through a real, which would lose digits beyond 2**53. */
static void convert(unsigned char *to, int32_t kind, const unsigned char *from, int32_t of) {
  int32_t whole;
  if (kind == TRADEWIND_INT64 && of == TRADEWIND_INT32) {
    memcpy(&whole, from, 4);
    int64_t wide = whole;
    memcpy(to, &wide, 8);
  } else {
    set_real(to, kind, as_real(from, of));
  }
}

void rp_copy(const tradewind_array *to, const tradewind_array *from) {
  walk source = begin(from), target = begin(to);
  for (; source.left > 0 && target.left > 0; turn(&source), turn(&target)) {
    if (to->kind == from->kind) memcpy(target.at, source.at, rp_kind_size(to->kind));
    else convert(target.at, to->kind, source.at, from->kind);
  }
}

int64_t rp_not_finite(const tradewind_array *array) {
  int64_t number = 0;
  if (array->kind != TRADEWIND_REAL32 && array->kind != TRADEWIND_REAL64) return 0;
  for (walk here = begin(array); here.left > 0; turn(&here)) {
    number += 1;
    if (!isfinite(as_real(here.at, array->kind))) return number;
  }
  return 0;
}

static uint64_t mixed(uint64_t x) {
  /* the finaliser of splitmix64 (Steele, Lea and Flood 2014) */
  x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
  return x ^ (x >> 31);
}

/* The sum does not depend on the blocks that a field is put in: every element brings its own place. `array` holds
 * columns from `first` (from 1) of a field that has `columns` of them. */
uint64_t rp_hash(const tradewind_array *array, int64_t first, int64_t columns) {
  uint64_t sum = 0;
  int64_t here = array->rank ? array->extent[0] : 1, number = 0;
  for (walk at = begin(array); at.left > 0; turn(&at), number++) {
    uint64_t bits = 0, place = (uint64_t)(number / here * columns + first - 1 + number % here);
    memcpy(&bits, at.at, rp_kind_size(array->kind));
    sum += mixed(bits + (place + 1) * UINT64_C(0x9e3779b97f4a7c15));
  }
  return sum;
}

void rp_fill(const tradewind_array *array, double value) {
  for (walk here = begin(array); here.left > 0; turn(&here)) set_real(here.at, array->kind, value);
}
