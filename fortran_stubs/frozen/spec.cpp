#include "spec.hpp"

#include <charconv>
#include <sstream>

#include "fault.hpp"

namespace tradewind {
namespace {

using Words = std::vector<std::string>;
constexpr int64_t MOST = int64_t(1) << 24; // levels, so that sizes never overflow

[[noreturn]] void unreadable(const std::string &what) {
  throw Fault(TRADEWIND_CHECKPOINT, "", "the file does not say what its network takes and gives: " + what);
}

Words words_of(const std::string &line) {
  Words words;
  std::istringstream rest(line);
  for (std::string word; std::getline(rest, word, '\t');) words.push_back(word);
  return words;
}

int64_t levels_of(const std::string &word) {
  int64_t levels = -1;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), levels);
  if (error != std::errc() || end != word.data() + word.size() || levels < 0 || levels > MOST)
    unreadable("'" + word + "' levels");
  return levels;
}

tradewind_role role_of(const std::string &word) {
  if (word == "import") return TRADEWIND_IMPORT;
  if (word == "export") return TRADEWIND_EXPORT;
  unreadable("'" + word + "' is no role");
}

tradewind_kind kind_of(const std::string &word) {
  if (word == "real32") return TRADEWIND_REAL32;
  if (word == "real64") return TRADEWIND_REAL64;
  unreadable("'" + word + "' is no kind");
}

Field field_of(const Words &words) {
  if (words.size() != 5) unreadable("a field has five words");
  if (words[1].empty() || words[1].size() >= TRADEWIND_NAME_LENGTH) unreadable("a field without a name");
  return {words[1], words[2], role_of(words[0]), kind_of(words[3]), levels_of(words[4])};
}

} // namespace

std::vector<Field> read_fields(const std::string &text) {
  std::vector<Field> fields;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) fields.push_back(field_of(words_of(line)));
  if (fields.empty()) unreadable("it was not made by `tradewind freeze`");
  return fields;
}

} // namespace tradewind
