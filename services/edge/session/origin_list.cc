#include "services/edge/session/origin_list.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/strings.h"

namespace spillway::edge {
namespace {

constexpr std::string_view kNull = "null";
constexpr size_t kMaxOriginBytes = 512;

// Scheme with "://", and host with port, in lower case; the port of the scheme is left out.
std::optional<std::pair<std::string, std::string>> Split(std::string_view text) {
  const std::string lower = absl::AsciiStrToLower(Abs(text));
  const size_t end = lower.find("://");
  if (end == std::string::npos || end == 0) return std::nullopt;
  std::string scheme = lower.substr(0, end + 3);
  std::string host = lower.substr(end + 3);
  if (host.empty() || host.find_first_of("/?#@, \t") != std::string::npos) return std::nullopt;
  const std::string_view port = scheme == "https://" ? ":443" : scheme == "http://" ? ":80" : "";
  if (!port.empty() && host.ends_with(port)) host.resize(host.size() - port.size());
  if (host.empty()) return std::nullopt;
  return std::pair(std::move(scheme), std::move(host));
}

}  // namespace

absl::StatusOr<OriginList> OriginList::Compile(const std::vector<std::string>& origins) {
  OriginList list;
  for (const std::string& text : origins) {
    if (text == kNull) {
      list.null_ = true;
      continue;
    }
    auto parts = Split(text);
    const bool below = parts.has_value() && parts->second.starts_with("*.");
    if (below) parts->second.erase(0, 1);
    if (!parts.has_value() || parts->second.find('*') != std::string::npos ||
        parts->second == "." || text.size() > kMaxOriginBytes) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", text,
                       "' is no origin: write a scheme, a host and perhaps a port, such as "
                       "https://app.example.com or https://*.example.com"));
    }
    list.origins_.push_back({std::move(parts->first), below, std::move(parts->second)});
  }
  return list;
}

bool OriginList::Lists(std::string_view text) const {
  if (text == kNull) return null_;
  if (text.size() > kMaxOriginBytes) return false;
  const auto parts = Split(text);
  if (!parts.has_value()) return false;
  const std::string_view scheme = parts->first;
  const std::string_view host = parts->second;
  return std::any_of(origins_.begin(), origins_.end(), [&](const Origin& origin) {
    if (origin.scheme != scheme) return false;
    if (!origin.below) return origin.host == host;
    return host.size() > origin.host.size() && host.ends_with(origin.host) && host[0] != '.';
  });
}

bool OriginList::Allows(const http::Request& request) const {
  if (origins_.empty() && !null_) return true;
  // Of several, all must be: nobody knows which one another reader of the request would take.
  return std::all_of(request.headers.begin(), request.headers.end(), [&](const auto& header) {
    return header.first != "origin" || Lists(header.second);
  });
}

}  // namespace spillway::edge
