#include "plane.hpp"

#include <cstring>

namespace tradewind {
namespace {

template <typename From, typename To>
void convert(const Plane &from, const Plane &to) {
  for (int64_t row = 0; row < from.rows; ++row)
    for (int64_t column = 0; column < from.columns; ++column) {
      From value;
      std::memcpy(&value, from.data + row * from.across + column * from.along, sizeof value);
      const To converted = static_cast<To>(value);
      std::memcpy(to.data + row * to.across + column * to.along, &converted, sizeof converted);
    }
}

template <typename From>
void convert_from(const Plane &from, const Plane &to) {
  switch (to.kind) {
    case TRADEWIND_REAL32: return convert<From, float>(from, to);
    case TRADEWIND_REAL64: return convert<From, double>(from, to);
    case TRADEWIND_INT32: return convert<From, int32_t>(from, to);
    default: return convert<From, int64_t>(from, to);
  }
}

int64_t size_of(int32_t kind) { return kind == TRADEWIND_REAL32 || kind == TRADEWIND_INT32 ? 4 : 8; }

void copy_rows(const Plane &from, const Plane &to, int64_t size) {
  for (int64_t row = 0; row < from.rows; ++row)
    std::memcpy(to.data + row * to.across, from.data + row * from.across, size_t(from.columns * size));
}

} // namespace

Plane part(const Plane &whole, int64_t first, int64_t columns) {
  Plane found = whole;
  found.data += first * whole.along;
  found.columns = columns;
  return found;
}

void copy(const Plane &from, const Plane &to) {
  const int64_t size = size_of(from.kind);
  if (from.columns == 0 || from.rows == 0) return;
  if (from.kind == to.kind && from.along == size && to.along == size) return copy_rows(from, to, size);
  switch (from.kind) {
    case TRADEWIND_REAL32: return convert_from<float>(from, to);
    case TRADEWIND_REAL64: return convert_from<double>(from, to);
    case TRADEWIND_INT32: return convert_from<int32_t>(from, to);
    default: return convert_from<int64_t>(from, to);
  }
}

} // namespace tradewind
