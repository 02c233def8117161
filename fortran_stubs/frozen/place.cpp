#include "place.hpp"

#include <algorithm>

#include "fault.hpp"

namespace tradewind {
namespace {

std::string listed(const int64_t *extent, int32_t rank) {
  std::string text = "(";
  for (int32_t axis = 0; axis < rank; ++axis) text += (axis ? ", " : "") + std::to_string(extent[axis]);
  return text + ")";
}

std::string word(int32_t kind) {
  switch (kind) {
    case TRADEWIND_REAL32: return "real32";
    case TRADEWIND_REAL64: return "real64";
    case TRADEWIND_INT32: return "int32";
    default: return "int64";
  }
}

} // namespace

// ---- checks

void Place::check(const tradewind_array &array, const tradewind_how &how) const {
  if (array.kind != field.kind && !how.cast)
    throw Fault(TRADEWIND_KIND, field.name, "declared as " + word(field.kind) + ", the array is " +
                                                word(array.kind) + " (declare it so, or say cast)");
  if (how.units == nullptr || field.units == how.units) return;
  if (how.convert)
    throw Fault(TRADEWIND_UNSUPPORTED, field.name, "the frozen engine converts no units (give it in '" +
                                                       field.units + "', or open the .safetensors)");
  throw Fault(TRADEWIND_UNITS, field.name,
              "declared in '" + field.units + "', the array is in '" + how.units + "' (give it in these units)");
}

int64_t Place::wanted(int64_t grid, const tradewind_array &array) const {
  if (grid != UNKNOWN) return grid;
  return array.rank > 0 ? array.extent[0] : 1;
}

// The array as a plane of so many columns. One member may have an axis of its own.
Plane Place::plane(const tradewind_array &array, int64_t columns) const {
  const int64_t declared[2] = {columns, field.levels};
  const int32_t rank = field.levels ? 2 : 1;
  const bool member = array.rank == rank + 1 && array.extent[rank] == 1;
  if ((array.rank != rank && !member) || !std::equal(declared, declared + rank, array.extent))
    throw Fault(TRADEWIND_SHAPE, field.name, "declared with extents " + listed(declared, rank) + ", the array has " +
                                                 listed(array.extent, array.rank) +
                                                 " (give the whole field, or a block of columns and its first column)");
  return {static_cast<char *>(array.data), array.kind, columns, field.rows(), array.stride[0],
          rank == 2 ? array.stride[1] : 0};
}

// A block of the field's columns, which must lie within it.
Plane Place::block(const tradewind_array &array, const tradewind_how &how, int64_t columns) const {
  const int64_t length = array.rank > 0 ? array.extent[0] : 1;
  if (how.first == 0) return plane(array, columns);
  if (how.first - 1 > columns - length)
    throw Fault(TRADEWIND_SHAPE, field.name,
                "a block of columns " + std::to_string(how.first) + " to " + std::to_string(how.first - 1 + length) +
                    " of " + std::to_string(columns) + " (columns count from 1 on each rank)");
  return plane(array, length);
}

// ---- memory

Plane Place::own() const {
  auto *data = reinterpret_cast<char *>(const_cast<double *>(memory_.data()));
  return {data, field.kind, columns_, field.rows(), field.size(), field.size() * columns_};
}

void Place::reserve(int64_t columns) {
  if (columns_ == columns) return;
  memory_.resize(size_t((field.rows() * columns * field.size() + 7) / 8));
  columns_ = columns;
  missing_.assign(size_t(columns), true);
}

void Place::mark(int64_t first, int64_t columns) {
  if (columns == columns_) missing_.clear();
  if (missing_.empty()) return;
  std::fill_n(missing_.begin() + first, columns, false);
}

void Place::forget() {
  columns_ = UNKNOWN;
  bound_.reset();
}

// ---- calls of the host

void Place::put(const tradewind_array &array, const tradewind_how &how, int64_t grid) {
  check(array, how);
  if (how.first && grid == UNKNOWN)
    throw Fault(TRADEWIND_ORDER, field.name, "a block of columns before set_grid (which tells how many there are)");
  const int64_t columns = wanted(grid, array);
  const Plane from = block(array, how, columns);
  reserve(columns);
  const int64_t first = how.first ? how.first - 1 : 0;
  copy(from, part(own(), first, from.columns));
  mark(first, from.columns);
  bound_.reset();
}

void Place::bind(const tradewind_array &array, const tradewind_how &how, int64_t grid) {
  check(array, how);
  const int64_t columns = wanted(grid, array);
  if (how.first > 1 || (how.first == 1 && array.rank > 0 && array.extent[0] != columns))
    throw Fault(TRADEWIND_SHAPE, field.name, "a block of columns cannot be bound (bind the whole field)");
  bound_ = plane(array, columns);
}

void Place::get(const tradewind_array &array, const tradewind_how &how) const {
  check(array, how);
  const bool holes = !bound_ && std::find(missing_.begin(), missing_.end(), true) != missing_.end();
  if (columns() == UNKNOWN || holes)
    throw Fault(TRADEWIND_FIELD, field.name, std::string("there is nothing to get yet (") +
                                                 (field.enters() ? "put it" : "run first") + ")");
  const Plane to = block(array, how, columns());
  const Plane from = bound_ ? *bound_ : own();
  copy(part(from, how.first ? how.first - 1 : 0, to.columns), to);
}

// ---- what the network takes and gives

const void *Place::taken() {
  if (bound_ && bound_->kind == field.kind && bound_->dense(field.size())) return bound_->data;
  if (bound_) {
    reserve(bound_->columns);
    copy(*bound_, own());
    missing_.clear();
  }
  if (columns_ == UNKNOWN)
    throw Fault(TRADEWIND_FIELD, field.name, "has not been put (put or bind it before the run)");
  const auto hole = std::find(missing_.begin(), missing_.end(), true);
  if (hole != missing_.end())
    throw Fault(TRADEWIND_FIELD, field.name, "column " + std::to_string(hole - missing_.begin() + 1) +
                                                 " has not been put (blocks must cover all columns)");
  return memory_.data();
}

void Place::expect(int64_t n) const {
  if (bound_ && bound_->columns != n)
    throw Fault(TRADEWIND_SHAPE, field.name, "the bound array has " + std::to_string(bound_->columns) +
                                                 " columns, the imports have " + std::to_string(n));
}

void Place::give(const void *data, int64_t n, int64_t pitch) {
  auto *bytes = static_cast<char *>(const_cast<void *>(data));
  const Plane from{bytes, field.kind, n, field.rows(), field.size(), field.size() * (pitch ? pitch : n)};
  if (bound_) {
    copy(from, *bound_);
    return;
  }
  reserve(n);
  copy(from, own());
  missing_.clear();
}

} // namespace tradewind
