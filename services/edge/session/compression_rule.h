#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/http/http_types.h"

namespace spillway::edge {

enum class CompressionMode : uint8_t {
  kOff,     // for nobody
  kAuto,    // for clients that ask for it, or that the rule names
  kAlways,  // for all but those who ask not to
};

// Which clients of an endpoint may negotiate permessage-deflate; they have to offer it besides, as
// every browser does. Immutable: usable from any thread.
struct CompressionRule {
  CompressionMode mode = CompressionMode::kOff;
  // Query parameter by which a client says for itself: 1 or true, 0 or false. Empty: none.
  std::string query_param = "compress";
  // With kAuto: parts of the User-Agent header, in any case, of clients that get it without asking.
  std::vector<std::string> user_agents = {};

  bool Admits(const http::Request& request) const;
};

}  // namespace spillway::edge
