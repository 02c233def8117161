// plane.hpp: memory of rows (levels) and columns, whatever its strides and kind, and copies between such.
#ifndef TW_FROZEN_PLANE_HPP
#define TW_FROZEN_PLANE_HPP

#include <cstdint>

#include "../tradewind.h"

namespace tradewind {

struct Plane {
  char *data;
  int32_t kind;
  int64_t columns, rows;
  int64_t along, across; // bytes from column to column, from row to row

  // Whether it lies as the network wants it: columns side by side, then rows.
  bool dense(int64_t size) const {
    return (along == size || columns <= 1) && (across == size * columns || rows <= 1 || columns == 0);
  }
};

// The plane of `columns` columns from `first` (from 0).
Plane part(const Plane &whole, int64_t first, int64_t columns);

// Copy between planes of the same extents; other kinds are converted.
void copy(const Plane &from, const Plane &to);

} // namespace tradewind
#endif
