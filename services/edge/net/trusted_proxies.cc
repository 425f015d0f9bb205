#include "services/edge/net/trusted_proxies.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "common/base/strings.h"

namespace spillway::edge::net {
namespace {

constexpr std::string_view kHeader = "x-forwarded-for";

// An address, perhaps in brackets, perhaps with a port: all forms that proxies write.
std::optional<IpAddress> AddressIn(std::string_view entry) {
  entry = Std(absl::StripAsciiWhitespace(Abs(entry)));
  if (entry.starts_with('[')) {
    const size_t end = entry.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view rest = entry.substr(end + 1);
    if (!rest.empty() && rest[0] != ':') return std::nullopt;
    return IpAddress::Parse(entry.substr(1, end - 1));
  }
  if (const auto address = IpAddress::Parse(entry)) return address;
  return IpAddress::Parse(entry.substr(0, entry.find(':')));
}

}  // namespace

absl::StatusOr<TrustedProxies> TrustedProxies::Parse(const std::vector<std::string>& networks) {
  TrustedProxies proxies;
  for (const std::string& text : networks) {
    auto network = IpNetwork::Parse(text);
    if (!network.ok()) return network.status();
    proxies.networks_.push_back(*network);
  }
  return proxies;
}

bool TrustedProxies::Trusts(const IpAddress& address) const {
  return std::any_of(networks_.begin(), networks_.end(),
                     [&](const IpNetwork& network) { return network.Contains(address); });
}

bool TrustedProxies::Trust(std::string_view ip) const {
  if (networks_.empty()) return false;
  const auto address = IpAddress::Parse(ip);
  return address.has_value() && Trusts(*address);
}

std::string TrustedProxies::ClientOf(const std::string& peer, const http::Request& request) const {
  if (!Trust(peer)) return peer;
  std::string client = peer;
  // Several headers are one list, in their order.
  for (auto header = request.headers.rbegin(); header != request.headers.rend(); ++header) {
    if (header->first != kHeader) continue;
    std::string_view list = header->second;
    for (;;) {
      const size_t comma = list.rfind(',');
      const auto address =
          AddressIn(comma == std::string_view::npos ? list : list.substr(comma + 1));
      if (!address.has_value()) return client;
      client = address->ToString();
      if (!Trusts(*address)) return client;
      if (comma == std::string_view::npos) break;
      list = list.substr(0, comma);
    }
  }
  return client;
}

}  // namespace spillway::edge::net
