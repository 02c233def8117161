// A network that needs no torch: every export's row r is (r + 1) times the sum of all features of the column, and an
// export "asked" says how many columns were asked. Its file is text: the fields; after a line of dashes, the domain. A zip file is only looked at for damage.
#include <fstream>
#include <new>
#include <sstream>
#include <stdexcept>

#include "archive.hpp"
#include "fault.hpp"
#include "network.hpp"

namespace tradewind {

struct Network::Loaded {
  std::vector<std::vector<double>> answers; // aligned for both kinds
};

Network::Network(const std::string &path, int) : loaded_(std::make_unique<Loaded>()) {
  std::ifstream file(path);
  if (!file) throw Fault(TRADEWIND_CHECKPOINT, "", path + ": there is no such file");
  std::string fields, domain, line;
  bool after = false;
  while (std::getline(file, line))
    if (line == "---") after = true;
    else (after ? domain : fields) += line + "\n";
  if (fields.compare(0, 2, "PK") == 0) {
    check_archive(path);
    fields = "import\tx\t1\treal32\t3\nexport\ty\t1\treal32\t2\n";
    domain.clear();
  }
  fields_ = read_fields(fields);
  domain_ = Domain::read(domain, fields_);
}

Network::~Network() = default;

static double value(const Field &field, const void *data, int64_t i) {
  return field.size() == 4 ? double(static_cast<const float *>(data)[i]) : static_cast<const double *>(data)[i];
}

static void set(const Field &field, void *data, int64_t i, double to) {
  if (field.size() == 4) static_cast<float *>(data)[i] = float(to);
  else static_cast<double *>(data)[i] = to;
}

static double sum(const std::vector<Field> &fields, const std::vector<const void *> &inputs, int64_t n, int64_t column) {
  double total = 0;
  size_t k = 0;
  for (const Field &field : fields) {
    if (!field.enters()) continue;
    for (int64_t row = 0; row < field.rows(); ++row) total += value(field, inputs[k], row * n + column);
    ++k;
  }
  if (total == 1e9) throw std::bad_alloc();
  if (total == 2e9) throw std::runtime_error("weights are worn out");
  if (total == 3e9) throw 3;
  return total;
}

void Network::run(const std::vector<const void *> &inputs, int64_t n,
                  const std::function<void(size_t, const void *)> &give) const {
  size_t k = 0;
  for (const Field &field : fields_) {
    if (field.enters()) continue;
    std::vector<double> answer(size_t(field.rows() * n));
    for (int64_t row = 0; row < field.rows(); ++row)
      for (int64_t column = 0; column < n; ++column) {
        const double total = sum(fields_, inputs, n, column);
        set(field, answer.data(), row * n + column, field.name == "asked" ? double(n) : double(row + 1) * total);
      }
    give(k++, answer.data());
  }
}

} // namespace tradewind
