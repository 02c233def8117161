#include "component.hpp"

#include <cstring>

#include "fault.hpp"

namespace tradewind {
namespace {

// From so many columns on, the bits of a column's answer do not depend on how many there are: products of fewer
// columns are computed by other paths. See docs/frozen.md.
constexpr int64_t FEW = 16;

} // namespace

Component::Component(std::shared_ptr<const Network> network, bool steady)
    : network_(std::move(network)), steady_(steady) {
  for (const Field &field : network_->fields()) places_.emplace_back(field);
  for (Place &place : places_) (place.field.enters() ? imports_ : exports_).push_back(&place);
  inputs_.resize(imports_.size());
  wider_.resize(imports_.size());
}

// ---- what is declared

void Component::set_grid(int64_t n, const int64_t *global_index, const int32_t *mask) {
  for (int64_t i = 0; i < n; ++i) {
    if (global_index[i] < 1)
      throw Fault(TRADEWIND_GRID, "", "cell " + std::to_string(i + 1) + " of this rank has the global number " +
                                          std::to_string(global_index[i]) + " (they count from 1)");
    if (mask != nullptr && mask[i] == 0)
      throw Fault(TRADEWIND_UNSUPPORTED, "", "the frozen engine answers for every column (leave masked cells out)");
  }
  if (n != grid_)
    for (Place &place : places_) place.forget();
  grid_ = n;
}

void Component::declare(int32_t number, tradewind_field *field) const {
  if (number < 1 || number > count())
    throw Fault(TRADEWIND_FIELD, "", "there is no field " + std::to_string(number) + " of " + std::to_string(count()));
  const Place &place = places_[size_t(number - 1)];
  const Field &declared = place.field;
  std::memset(field, 0, sizeof *field);
  declared.name.copy(field->name, sizeof field->name - 1);
  declared.units.copy(field->units, sizeof field->units - 1);
  field->role = declared.role;
  field->kind = declared.kind;
  field->rank = declared.levels ? 2 : 1;
  field->extent[0] = grid_ != UNKNOWN ? grid_ : std::max(place.columns(), int64_t(0));
  field->extent[1] = declared.levels;
}

// ---- arrays of the host

Place *Component::find(const std::string &name, tradewind_role role) {
  for (Place &place : places_)
    if (place.field.role == role && place.field.name == name) return &place;
  return nullptr;
}

Place &Component::import_of(const std::string &name) {
  if (Place *place = find(name, TRADEWIND_IMPORT)) return *place;
  throw Fault(TRADEWIND_FIELD, name, "no import of this name is declared");
}

// A name may be that of an import and of an export.
Place &Component::any_of(const std::string &name, tradewind_role first, tradewind_role then) {
  if (Place *place = find(name, first)) return *place;
  if (Place *place = find(name, then)) return *place;
  throw Fault(TRADEWIND_FIELD, name, "no import or export of this name is declared");
}

void Component::put(const std::string &name, const tradewind_array &array, const tradewind_how &how) {
  import_of(name).put(array, how, grid_);
}

void Component::bind(const std::string &name, const tradewind_array &array, const tradewind_how &how) {
  any_of(name, TRADEWIND_IMPORT, TRADEWIND_EXPORT).bind(array, how, grid_);
}

void Component::get(const std::string &name, const tradewind_array &array, const tradewind_how &how) {
  any_of(name, TRADEWIND_EXPORT, TRADEWIND_IMPORT).get(array, how);
}

// ---- the call

// All that can be wrong is found before anything is written. Returns the number of columns.
int64_t Component::settle() {
  int64_t n = UNKNOWN;
  for (size_t i = 0; i < imports_.size(); ++i) {
    Place &place = *imports_[i];
    inputs_[i] = place.taken();
    if (n == UNKNOWN) n = place.columns();
    if (place.columns() != n)
      throw Fault(TRADEWIND_SHAPE, place.field.name,
                  "it has " + std::to_string(place.columns()) + " columns, '" + imports_[0]->field.name + "' has " +
                      std::to_string(n));
  }
  for (const Place *place : exports_) place->expect(n);
  network_->check(inputs_, n);
  return n;
}

void Component::answer(int64_t n) {
  network_->run(inputs_, n, [&](size_t k, const void *data) { exports_[k]->give(data, n); });
}

// Repeat the first column until there are enough, and drop what comes of it.
void Component::answer_few(int64_t n) {
  for (size_t i = 0; i < imports_.size(); ++i) {
    const Field &field = imports_[i]->field;
    wider_[i].resize(size_t(field.rows() * FEW));
    auto *wide = reinterpret_cast<char *>(wider_[i].data());
    auto *data = static_cast<char *>(const_cast<void *>(inputs_[i]));
    const Plane to{wide, field.kind, FEW, field.rows(), field.size(), field.size() * FEW};
    const Plane from{data, field.kind, n, field.rows(), field.size(), field.size() * n};
    copy(from, part(to, 0, n));
    for (int64_t column = n; column < FEW; ++column) copy(part(from, 0, 1), part(to, column, 1));
    inputs_[i] = wide;
  }
  network_->run(inputs_, FEW, [&](size_t k, const void *data) { exports_[k]->give(data, n, FEW); });
}

void Component::run() {
  const int64_t n = settle();
  if (n == 0)
    for (Place *place : exports_) place->give(nullptr, 0);
  else if (steady_ && n < FEW) answer_few(n);
  else answer(n);
}

} // namespace tradewind
