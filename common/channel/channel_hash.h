#pragma once

#include <cstdint>
#include <string_view>

namespace spillway {

// XXH64 (github.com/Cyan4973/xxHash, doc/xxhash_spec.md) with seed 0: the same on every node,
// version and platform, so it may go over the wire and into files. Not for defence against chosen
// names.
uint64_t ChannelHash(std::string_view name);

}  // namespace spillway
