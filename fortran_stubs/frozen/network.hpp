// network.hpp: the compiled network itself. What is behind it is torch's; nobody else here includes torch.
#ifndef TW_FROZEN_NETWORK_HPP
#define TW_FROZEN_NETWORK_HPP

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "domain.hpp"
#include "spec.hpp"

namespace tradewind {

class Network {
 public:
  // Throws Fault where the file is missing, damaged, of something else or for another processor.
  Network(const std::string &path, int threads);
  ~Network();
  Network(const Network &) = delete;
  Network &operator=(const Network &) = delete;

  const std::vector<Field> &fields() const { return fields_; }

  // Throws Fault where a column is outside the domain. inputs: memory (rows, n) of each import in order.
  void check(const std::vector<const void *> &inputs, int64_t n) const {
    if (domain_) domain_->check(inputs, n);
  }
  // Answer for n > 0 columns; give(k, data) is told where the k-th export stands.
  void run(const std::vector<const void *> &inputs, int64_t n,
           const std::function<void(size_t, const void *)> &give) const;

 private:
  struct Loaded;
  std::unique_ptr<Loaded> loaded_;
  std::vector<Field> fields_;
  std::optional<Domain> domain_;
};

} // namespace tradewind
#endif
