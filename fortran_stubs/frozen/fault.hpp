// fault.hpp: what goes wrong inside, until it becomes a status at the border to C.
#ifndef TW_FROZEN_FAULT_HPP
#define TW_FROZEN_FAULT_HPP

#include <exception>
#include <string>

#include "../tradewind.h"

namespace tradewind {

class Fault : public std::exception {
 public:
  Fault(tradewind_code code, std::string field, std::string message)
      : code(code), field(std::move(field)), message(std::move(message)) {}
  const char *what() const noexcept override { return message.c_str(); }

  tradewind_code code;
  std::string field; // empty: none
  std::string message;
};

} // namespace tradewind
#endif
