#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace spillway::http {

// A request target (RFC 9112, section 3.2.1) in its parts, percent-decoded; '+' is a space in the
// query.
struct Target {
  std::string path;
  std::vector<std::pair<std::string, std::string>> query;
};

// Nothing for what is no origin-form target: no leading '/', a broken percent sequence, or a NUL in
// it; nor with an encoded slash in the path.
std::optional<Target> ParseTarget(std::string_view target);

// Nothing for a broken percent sequence or a decoded NUL.
std::optional<std::string> PercentDecode(std::string_view text, bool plus_is_space);

}  // namespace spillway::http
