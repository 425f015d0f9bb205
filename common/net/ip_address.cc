#include "common/net/ip_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace spillway {
namespace {

constexpr size_t kV4Prefix = 12;  // bytes before a mapped IPv4 address

// The address with all behind the first `bits` cleared.
IpAddress::Bytes Masked(const IpAddress::Bytes& bytes, int bits) {
  IpAddress::Bytes masked{};
  for (int i = 0; i < 16; ++i) {
    const int left = std::clamp(bits - 8 * i, 0, 8);
    masked[static_cast<size_t>(i)] =
        static_cast<uint8_t>(bytes[static_cast<size_t>(i)] & (0xFF00 >> left));
  }
  return masked;
}

}  // namespace

IpAddress IpAddress::OfV4(const uint8_t* bytes) {
  Bytes mapped{};
  mapped[10] = mapped[11] = 0xFF;
  std::copy_n(bytes, 4, mapped.begin() + kV4Prefix);
  return IpAddress(mapped);
}

std::optional<IpAddress> IpAddress::Parse(std::string_view text) {
  char terminated[INET6_ADDRSTRLEN] = {};
  if (text.size() >= sizeof terminated || text.find('\0') != std::string_view::npos) {
    return std::nullopt;
  }
  std::memcpy(terminated, text.data(), text.size());
  uint8_t v4[4];
  if (::inet_pton(AF_INET, terminated, v4) == 1) return OfV4(v4);
  Bytes bytes;
  if (::inet_pton(AF_INET6, terminated, bytes.data()) == 1) return IpAddress(bytes);
  return std::nullopt;
}

bool IpAddress::is_v4() const {
  return std::all_of(bytes_.begin(), bytes_.begin() + 10, [](uint8_t b) { return b == 0; }) &&
         bytes_[10] == 0xFF && bytes_[11] == 0xFF;
}

std::string IpAddress::ToString() const {
  char text[INET6_ADDRSTRLEN] = {};
  if (is_v4()) {
    ::inet_ntop(AF_INET, bytes_.data() + kV4Prefix, text, sizeof text);
  } else {
    ::inet_ntop(AF_INET6, bytes_.data(), text, sizeof text);
  }
  return text;
}

IpAddress IpAddress::OfOneClient() const { return is_v4() ? *this : IpAddress(Masked(bytes_, 64)); }

IpAddress IpAddress::Prefix(int bits) const { return IpAddress(Masked(bytes_, bits)); }

absl::StatusOr<IpNetwork> IpNetwork::Parse(std::string_view text) {
  const auto wrong = [&](absl::string_view what) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", absl::string_view(text.data(), text.size()), "': ", what));
  };
  const size_t slash = text.find('/');
  const std::optional<IpAddress> address = IpAddress::Parse(text.substr(0, slash));
  if (!address.has_value()) return wrong("not an IP address or network such as 10.0.0.0/8");
  IpNetwork network;
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    int bits = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    // By how it is written: ::ffff:10.0.0.0/104 counts as IPv6.
    const bool v4 = text.substr(0, slash).find(':') == std::string_view::npos;
    if (error != std::errc() || end != digits.data() + digits.size() || bits < 0 ||
        bits > (v4 ? 32 : 128)) {
      return wrong(v4 ? "the prefix must be 0 to 32" : "the prefix must be 0 to 128");
    }
    network.bits_ = v4 ? bits + 96 : bits;
  }
  network.first_ = IpAddress(Masked(address->bytes(), network.bits_));
  if (network.first_ != *address) {
    return wrong(absl::StrCat("bits behind the prefix are set: ", network.first_.ToString(),
                              " is meant, or a longer prefix"));
  }
  return network;
}

std::string IpNetwork::ToString() const {
  const bool v4 = bits_ >= 96 && first_.is_v4();
  return absl::StrCat(first_.ToString(), "/", v4 ? bits_ - 96 : bits_);
}

bool IpNetwork::Contains(const IpAddress& address) const {
  return Masked(address.bytes(), bits_) == first_.bytes();
}

}  // namespace spillway
