#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace spillway::edge {

// A JSON object with one more member, `name`, that says who published it: `user`, or null if that
// is empty. It is the last, since many readers take the last of several that they hold to be one.
// Nothing: `json` is no object, or has such a member already, however that is written, and in
// whatever case (of ASCII). Any thread.
std::optional<std::string> WithUser(std::string_view json, std::string_view name,
                                    std::string_view user);

}  // namespace spillway::edge
