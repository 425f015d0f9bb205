#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace spillway::ingest {

// A parsed JSON pointer (RFC 6901): the unescaped reference tokens; empty for the whole document.
using JsonPointer = std::vector<std::string>;

// Nullopt for what is no pointer: not empty and not starting with '/', or '~' before anything but 0
// and 1.
std::optional<JsonPointer> ParseJsonPointer(std::string_view text);

}  // namespace spillway::ingest
