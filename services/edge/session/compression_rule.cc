#include "services/edge/session/compression_rule.h"

#include <algorithm>
#include <string_view>

namespace spillway::edge {
namespace {

constexpr std::string_view kUserAgent = "user-agent";

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool ContainsIgnoringCase(std::string_view text, std::string_view part) {
  return std::search(text.begin(), text.end(), part.begin(), part.end(),
                     [](char a, char b) { return Lower(a) == Lower(b); }) != text.end();
}

}  // namespace

bool CompressionRule::Admits(const http::Request& request) const {
  if (mode == CompressionMode::kOff) return false;
  if (!query_param.empty()) {
    const std::string_view said = request.Query(query_param);
    if (said == "1" || said == "true") return true;
    if (said == "0" || said == "false") return false;
  }
  if (mode == CompressionMode::kAlways) return true;
  const std::string_view agent = request.Header(kUserAgent);
  return std::any_of(user_agents.begin(), user_agents.end(),
                     [&](const std::string& part) { return ContainsIgnoringCase(agent, part); });
}

}  // namespace spillway::edge
