// place.hpp: where one field of a component stands: memory of ours, or of the host.
#ifndef TW_FROZEN_PLACE_HPP
#define TW_FROZEN_PLACE_HPP

#include <optional>
#include <string>
#include <vector>

#include "plane.hpp"
#include "spec.hpp"

namespace tradewind {

constexpr int64_t UNKNOWN = -1; // columns: the first array tells how many there are

class Place {
 public:
  explicit Place(const Field &field) : field(field) {}

  // Throw Fault where the array is not what was declared. `grid`: columns of the host's grid, or UNKNOWN.
  void put(const tradewind_array &array, const tradewind_how &how, int64_t grid);
  void bind(const tradewind_array &array, const tradewind_how &how, int64_t grid);
  void get(const tradewind_array &array, const tradewind_how &how) const;
  // Nothing stands here any more: the columns are others.
  void forget();

  // Columns of what stands here, or UNKNOWN.
  int64_t columns() const { return bound_ ? bound_->columns : columns_; }
  // An import's memory (rows, columns). Throws Fault where it was not put.
  const void *taken();
  // Whether an export can be taken over for n columns: what is bound is as long. Throws Fault.
  void expect(int64_t n) const;
  // Keep an export of n columns, or write it into the host's memory; `pitch`: columns from row to row, 0: n.
  void give(const void *data, int64_t n, int64_t pitch = 0);

  Field field;

 private:
  int64_t wanted(int64_t grid, const tradewind_array &array) const;
  Plane plane(const tradewind_array &array, int64_t columns) const;
  void check(const tradewind_array &array, const tradewind_how &how) const;
  Plane block(const tradewind_array &array, const tradewind_how &how, int64_t columns) const;
  Plane own() const;
  void reserve(int64_t columns);
  void mark(int64_t first, int64_t columns);

  std::vector<double> memory_; // of doubles, so that both kinds are aligned
  int64_t columns_ = UNKNOWN;
  std::vector<bool> missing_; // columns that no block has covered; empty: all are there
  std::optional<Plane> bound_;
};

} // namespace tradewind
#endif
