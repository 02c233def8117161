// archive.hpp: whether a zip file is whole. torch does not look at its checksums, and runs what it finds.
#ifndef TW_FROZEN_ARCHIVE_HPP
#define TW_FROZEN_ARCHIVE_HPP

#include <string>

namespace tradewind {

// Throws Fault where the file cannot be read, or an entry is not what its checksum says. Entries are stored, not
// compressed: so torch writes them.
void check_archive(const std::string &path);

} // namespace tradewind
#endif
