// domain.hpp: where a network may be asked: within what it was trained on, and not in a stranger combination.
#ifndef TW_FROZEN_DOMAIN_HPP
#define TW_FROZEN_DOMAIN_HPP

#include <optional>
#include <string>
#include <vector>

#include "spec.hpp"

namespace tradewind {

// A column x is inside where lower <= x <= upper and |W (x - centre)| <= distance, over the features of all
// imports one after the other.
class Domain {
 public:
  // As `tradewind freeze` writes it; empty text: no domain. Throws Fault.
  static std::optional<Domain> read(const std::string &text, const std::vector<Field> &fields);

  // inputs: memory (rows, n) of each import. Throws Fault that names the first column outside.
  void check(const std::vector<const void *> &inputs, int64_t n) const;

 private:
  struct Feature {
    size_t import;
    int64_t row;
    double lower, upper, centre;
  };

  using Block = std::vector<double>;

  void gather(const std::vector<const void *> &inputs, int64_t n, int64_t first, Block &x) const;
  void check_box(const Block &x, int64_t first, int64_t count) const;
  void check_distance(const Block &x, int64_t first, int64_t count) const;

  double distance_ = 0;
  std::vector<Field> imports_;
  std::vector<Feature> features_;
  std::vector<double> whitening_; // by rows
};

} // namespace tradewind
#endif
