// spec.hpp: what a frozen network declares of itself, kept in its file by `tradewind freeze`.
#ifndef TW_FROZEN_SPEC_HPP
#define TW_FROZEN_SPEC_HPP

#include <cstdint>
#include <string>
#include <vector>

#include "../tradewind.h"

namespace tradewind {

struct Field {
  std::string name, units;
  tradewind_role role;
  tradewind_kind kind;
  int64_t levels; // 0: the field has no dimension besides its columns

  int64_t rows() const { return levels == 0 ? 1 : levels; }
  int64_t size() const { return kind == TRADEWIND_REAL32 ? 4 : 8; } // bytes of an element
  bool enters() const { return role == TRADEWIND_IMPORT; }
};

// Fields in the order in which the network takes and gives them: one on each line, words between tabs,
// `import|export name units real32|real64 levels`. Throws Fault.
std::vector<Field> read_fields(const std::string &text);

} // namespace tradewind
#endif
