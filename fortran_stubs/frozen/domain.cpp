#include "domain.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <sstream>

#include "fault.hpp"

namespace tradewind {
namespace {

constexpr int64_t BLOCK = 64; // columns looked at together

template <typename Real>
void widen(const void *data, int64_t n, int64_t row, int64_t first, int64_t count, double *x) {
  const Real *values = static_cast<const Real *>(data) + row * n + first;
  for (int64_t i = 0; i < count; ++i) x[i] = double(values[i]);
}

std::string place(int64_t column, const char *format, double a, double b, double c) {
  std::array<char, 160> text{};
  std::snprintf(text.data(), text.size(), format, a, b, c);
  return "column " + std::to_string(column + 1) + text.data();
}

double next(std::istream &numbers) {
  std::string word; // read as words, since streams do not read inf
  double value = 0;
  if (!(numbers >> word) || std::sscanf(word.c_str(), "%lf", &value) != 1 || std::isnan(value))
    throw Fault(TRADEWIND_CHECKPOINT, "", "the domain in the file is incomplete");
  return value;
}

} // namespace

std::optional<Domain> Domain::read(const std::string &text, const std::vector<Field> &fields) {
  std::istringstream numbers(text);
  if ((numbers >> std::ws).eof()) return std::nullopt;
  Domain domain;
  domain.distance_ = next(numbers);
  for (const Field &field : fields)
    if (field.enters()) domain.imports_.push_back(field);
  for (size_t k = 0; k < domain.imports_.size(); ++k)
    for (int64_t row = 0; row < domain.imports_[k].rows(); ++row) {
      Feature feature{k, row, next(numbers), 0, 0};
      feature.upper = next(numbers);
      feature.centre = next(numbers);
      domain.features_.push_back(feature);
    }
  domain.whitening_.resize(domain.features_.size() * domain.features_.size());
  for (double &weight : domain.whitening_) weight = next(numbers);
  return domain;
}

void Domain::gather(const std::vector<const void *> &inputs, int64_t n, int64_t first, Block &x) const {
  const int64_t count = std::min(BLOCK, n - first);
  for (size_t f = 0; f < features_.size(); ++f) {
    const Feature &feature = features_[f];
    const bool single = imports_[feature.import].kind == TRADEWIND_REAL32;
    (single ? widen<float> : widen<double>)(inputs[feature.import], n, feature.row, first, count, &x[f * BLOCK]);
  }
}

void Domain::check_box(const Block &x, int64_t first, int64_t count) const {
  for (size_t f = 0; f < features_.size(); ++f) {
    const Feature &feature = features_[f];
    for (int64_t i = 0; i < count; ++i) {
      const double value = x[f * BLOCK + size_t(i)];
      if (value >= feature.lower && value <= feature.upper) continue;
      throw Fault(TRADEWIND_DOMAIN, imports_[feature.import].name,
                  place(first + i, " is %.4g, the network was trained on %.4g to %.4g", value, feature.lower,
                        feature.upper) +
                      (imports_[feature.import].levels ? ", level " + std::to_string(feature.row + 1) : ""));
    }
  }
}

void Domain::check_distance(const Block &x, int64_t first, int64_t count) const {
  const size_t features = features_.size();
  std::array<double, BLOCK> squares{}, sum;
  for (size_t k = 0; k < features; ++k) {
    sum.fill(0);
    for (size_t f = 0; f < features; ++f) {
      const double weight = whitening_[k * features + f], centre = features_[f].centre;
      if (weight == 0) continue; // half of them are: the matrix is a triangle
      for (size_t i = 0; i < size_t(BLOCK); ++i) sum[i] += weight * (x[f * BLOCK + i] - centre);
    }
    for (size_t i = 0; i < size_t(BLOCK); ++i) squares[i] += sum[i] * sum[i];
  }
  for (int64_t i = 0; i < count; ++i)
    if (const double distance = std::sqrt(squares[size_t(i)]); !(distance <= distance_))
      throw Fault(TRADEWIND_DOMAIN, "",
                  place(first + i, ": a combination not seen in training (%.3g > %.3g)", distance, distance_, 0));
}

void Domain::check(const std::vector<const void *> &inputs, int64_t n) const {
  Block x(features_.size() * BLOCK);
  for (int64_t first = 0; first < n; first += BLOCK) {
    gather(inputs, n, first, x);
    check_box(x, first, std::min(BLOCK, n - first));
    check_distance(x, first, std::min(BLOCK, n - first));
  }
}

} // namespace tradewind
