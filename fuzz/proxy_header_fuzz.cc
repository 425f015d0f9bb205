// The header of the PROXY protocol that stands before a client's bytes.

#include "fuzz/input.h"
#include "services/edge/net/proxy_header.h"

using spillway::edge::net::ProxyHeader;
using spillway::fuzz::Require;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  spillway::fuzz::Input input(data, size);
  const size_t piece = 1 + input.TakeByte() % 32;
  std::string_view bytes = input.TakeRest();
  ProxyHeader header;
  size_t fed = 0;
  while (!bytes.empty()) {
    const size_t wanted = header.wanted();
    Require(wanted > 0, "something is wanted until it is done");
    const size_t next = std::min({wanted, piece, bytes.size()});
    const auto result = header.Feed(bytes.substr(0, next));
    bytes.remove_prefix(next);
    fed += next;
    Require(fed <= ProxyHeader::kMaxBytes, "a header has its bound");
    if (result == ProxyHeader::Result::kDone && header.client().has_value()) {
      const auto again = spillway::IpAddress::Parse(header.client()->ToString());
      Require(again == header.client(), "an address is written as one");
    }
    if (result != ProxyHeader::Result::kMore) return 0;
  }
  return 0;
}
