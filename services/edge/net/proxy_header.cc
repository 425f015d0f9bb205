#include "services/edge/net/proxy_header.h"

#include <algorithm>

namespace spillway::edge::net {
namespace {

constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr size_t kFixedBytes = 16;
constexpr uint8_t kLocal = 0x20;  // version 2, and the command
constexpr uint8_t kProxy = 0x21;
// Address families, in the upper half of their byte.
constexpr int kInet = 1;
constexpr int kInet6 = 2;
// Both addresses and both ports.
constexpr size_t kInetBytes = 12;
constexpr size_t kInet6Bytes = 36;

}  // namespace

size_t ProxyHeader::wanted() const { return (size_ == 0 ? kFixedBytes : size_) - bytes_.size(); }

ProxyHeader::Result ProxyHeader::Feed(std::string_view bytes) {
  bytes_.append(bytes);
  if (size_ == 0) {
    // At once, not when all is there: a client that speaks first would be waited for.
    const size_t compared = std::min(bytes_.size(), kSignature.size());
    if (bytes_.compare(0, compared, kSignature, 0, compared) != 0) return Result::kBad;
    if (bytes_.size() < kFixedBytes) return Result::kMore;
    if (const Result result = Fixed(); result != Result::kMore) return result;
  }
  return bytes_.size() < size_ ? Result::kMore : Addresses();
}

ProxyHeader::Result ProxyHeader::Fixed() {
  const auto byte = [this](size_t i) { return static_cast<uint8_t>(bytes_[i]); };
  if (byte(12) != kLocal && byte(12) != kProxy) return Result::kBad;
  size_ = kFixedBytes + static_cast<size_t>(byte(14) << 8 | byte(15));
  return size_ > kMaxBytes ? Result::kBad : Result::kMore;
}

ProxyHeader::Result ProxyHeader::Addresses() {
  if (static_cast<uint8_t>(bytes_[12]) == kLocal) return Result::kDone;
  const int family = static_cast<uint8_t>(bytes_[13]) >> 4;
  const size_t size = size_ - kFixedBytes;
  const auto* const source = reinterpret_cast<const uint8_t*>(bytes_.data()) + kFixedBytes;
  if (family == kInet) {
    if (size < kInetBytes) return Result::kBad;
    client_ = IpAddress::OfV4(source);
  } else if (family == kInet6) {
    if (size < kInet6Bytes) return Result::kBad;
    IpAddress::Bytes address;
    std::copy_n(source, address.size(), address.begin());
    client_ = IpAddress(address);
  }
  return Result::kDone;
}

}  // namespace spillway::edge::net
