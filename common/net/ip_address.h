#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"

namespace spillway {

// An IP address. One of IPv4 and the same mapped into IPv6 (RFC 4291, section 2.5.5.2) are equal.
// A plain value.
class IpAddress {
 public:
  using Bytes = std::array<uint8_t, 16>;  // IPv4 mapped into IPv6

  IpAddress() = default;  // ::
  explicit IpAddress(const Bytes& bytes) : bytes_(bytes) {}
  // Four bytes.
  static IpAddress OfV4(const uint8_t* bytes);
  // Nothing for what is no address: neither ports nor zones nor brackets.
  static std::optional<IpAddress> Parse(std::string_view text);

  bool is_v4() const;
  const Bytes& bytes() const { return bytes_; }
  std::string ToString() const;
  // What one client can be taken to hold all of: of IPv6 the first 64 bits, of IPv4 the address.
  IpAddress OfOneClient() const;
  // With all behind the first `bits`, of 128, cleared.
  IpAddress Prefix(int bits) const;

  friend bool operator==(const IpAddress&, const IpAddress&) = default;
  template <typename H>
  friend H AbslHashValue(H hash, const IpAddress& address) {
    return H::combine(std::move(hash), address.bytes_);
  }

 private:
  Bytes bytes_{};
};

// The addresses that begin with the same bits. A plain value.
class IpNetwork {
 public:
  // "10.0.0.0/8", "2001:db8::/32", or one address. InvalidArgument says what is wrong, bits behind
  // the prefix that are set among it.
  static absl::StatusOr<IpNetwork> Parse(std::string_view text);

  bool Contains(const IpAddress& address) const;
  // Always with a prefix: "192.0.2.1/32". Networks that are equal are written alike.
  std::string ToString() const;
  const IpAddress& first() const { return first_; }
  // Of the prefix, of 128: those of IPv4 are 96 to 128.
  int bits() const { return bits_; }

 private:
  IpAddress first_;
  int bits_ = 128;
};

}  // namespace spillway
