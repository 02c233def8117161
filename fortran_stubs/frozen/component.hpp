// component.hpp: the one component of a frozen session: places of its fields, and the network between them.
#ifndef TW_FROZEN_COMPONENT_HPP
#define TW_FROZEN_COMPONENT_HPP

#include <memory>
#include <string>
#include <vector>

#include "network.hpp"
#include "place.hpp"

namespace tradewind {

class Component {
 public:
  // steady: the bits of a column must not depend on how many columns this rank has.
  Component(std::shared_ptr<const Network> network, bool steady);

  void set_grid(int64_t n, const int64_t *global_index, const int32_t *mask);
  int32_t count() const { return int32_t(places_.size()); }
  void declare(int32_t number, tradewind_field *field) const;
  void put(const std::string &name, const tradewind_array &array, const tradewind_how &how);
  void bind(const std::string &name, const tradewind_array &array, const tradewind_how &how);
  void get(const std::string &name, const tradewind_array &array, const tradewind_how &how);
  void run();

 private:
  Place *find(const std::string &name, tradewind_role role);
  Place &import_of(const std::string &name);
  Place &any_of(const std::string &name, tradewind_role first, tradewind_role then);
  int64_t settle();
  void answer(int64_t n);
  void answer_few(int64_t n);

  std::shared_ptr<const Network> network_;
  bool steady_;
  int64_t grid_ = UNKNOWN;
  std::vector<Place> places_;
  std::vector<Place *> imports_, exports_;
  std::vector<const void *> inputs_;       // of the run in progress
  std::vector<std::vector<double>> wider_; // the same for few columns
};

} // namespace tradewind
#endif
