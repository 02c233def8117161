// Layout: .ZIP File Format Specification 6.3, sections 4.3.7 to 4.3.16 and 4.5.3.
#include "archive.hpp"

#include <array>
#include <cstdint>
#include <fstream>
#include <iterator>

#include "fault.hpp"

namespace tradewind {
namespace {

constexpr uint64_t LOCATOR = 0x07064b50, LONG_END = 0x06064b50, ENTRY = 0x02014b50, LOCAL = 0x04034b50;
constexpr uint64_t LONG = 0xffffffff, MANY = 0xffff; // the number stands elsewhere, as one of 64 bits

[[noreturn]] void damaged(const std::string &how) { throw Fault(TRADEWIND_CHECKPOINT, "", "it is damaged: " + how); }

std::string content(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  std::string all{std::istreambuf_iterator<char>(file), {}};
  if (!file) throw Fault(TRADEWIND_CHECKPOINT, "", "it cannot be read");
  return all;
}

uint64_t number(const std::string &all, uint64_t at, unsigned bytes) {
  if (at > all.size() || bytes > all.size() - at) damaged("it ends too early");
  uint64_t value = 0;
  for (unsigned i = 0; i < bytes; ++i) value |= uint64_t(uint8_t(all[at + i])) << (8 * i);
  return value;
}

void expect(const std::string &all, uint64_t at, uint64_t signature) {
  if (number(all, at, 4) != signature) damaged("its directory is not where it should be");
}

std::array<uint32_t, 256> make_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = (c & 1u) ? 0xedb88320u ^ (c >> 1) : c >> 1;
    table[i] = c;
  }
  return table;
}

uint32_t checksum(const std::string &all, uint64_t from, uint64_t length) {
  static const std::array<uint32_t, 256> table = make_table();
  uint32_t c = 0xffffffffu;
  for (uint64_t i = from; i < from + length; ++i) c = table[(c ^ uint8_t(all[i])) & 0xffu] ^ (c >> 8);
  return c ^ 0xffffffffu;
}

struct Directory {
  uint64_t count, at;
};

Directory directory_of(const std::string &all) {
  const size_t end = all.rfind("PK\x05\x06");
  if (end == std::string::npos) damaged("its directory is missing");
  const Directory found{number(all, end + 10, 2), number(all, end + 16, 4)};
  if (found.count != MANY && found.at != LONG) return found;
  if (end < 20) damaged("its directory is missing");
  expect(all, end - 20, LOCATOR);
  const uint64_t longer = number(all, end - 20 + 8, 8);
  expect(all, longer, LONG_END);
  return {number(all, longer + 32, 8), number(all, longer + 48, 8)};
}

struct Entry {
  uint64_t method, crc, stored, size, local, next;
};

// Sizes and place of 64 bits, in the extra field 1, in this order, each only where it is needed.
void lengthen(const std::string &all, Entry &entry, uint64_t extra, uint64_t end) {
  for (uint64_t at = extra; at + 4 <= end; at += 4 + number(all, at + 2, 2)) {
    if (number(all, at, 2) != 1) continue;
    uint64_t value = at + 4;
    for (uint64_t *field : {&entry.size, &entry.stored, &entry.local})
      if (*field == LONG) *field = number(all, value, 8), value += 8;
    return;
  }
}

Entry entry_at(const std::string &all, uint64_t at) {
  expect(all, at, ENTRY);
  Entry entry{number(all, at + 10, 2), number(all, at + 16, 4), number(all, at + 20, 4),
              number(all, at + 24, 4), number(all, at + 42, 4), 0};
  const uint64_t extra = at + 46 + number(all, at + 28, 2), end = extra + number(all, at + 30, 2);
  entry.next = end + number(all, at + 32, 2);
  lengthen(all, entry, extra, end);
  return entry;
}

void check_entry(const std::string &all, const Entry &entry) {
  if (entry.method != 0 || entry.stored != entry.size) damaged("an entry is compressed");
  expect(all, entry.local, LOCAL);
  const uint64_t data = entry.local + 30 + number(all, entry.local + 26, 2) + number(all, entry.local + 28, 2);
  if (data > all.size() || entry.size > all.size() - data) damaged("it ends too early");
  if (checksum(all, data, entry.size) != entry.crc) damaged("a checksum differs");
}

} // namespace

void check_archive(const std::string &path) {
  const std::string all = content(path);
  const Directory directory = directory_of(all);
  uint64_t at = directory.at;
  for (uint64_t i = 0; i < directory.count; ++i) {
    const Entry entry = entry_at(all, at);
    check_entry(all, entry);
    at = entry.next;
  }
}

} // namespace tradewind
