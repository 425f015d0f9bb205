#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"

namespace spillway::rpc {

// How often files with tokens are looked at again.
inline constexpr std::chrono::seconds kTokenFileInterval{10};

// What a token is remembered and compared as: digests have one length, so that not even the length
// of a secret shows in the time.
using TokenDigest = std::array<unsigned char, 32>;
TokenDigest DigestOf(std::string_view token);
// Takes the same time wherever they differ.
bool SameDigest(const TokenDigest& a, const TokenDigest& b);

// The token of "Bearer <token>", the scheme in any case; "" for anything else.
std::string_view BearerToken(std::string_view authorization);

// OK if it can be sent as metadata: printable ASCII, with no space at either end. The error does
// not show it.
absl::Status CheckToken(std::string_view token);

// "10.0.0.7" or "::1" of what gRPC calls a peer ("ipv4:10.0.0.7:4711", "ipv6:%5B::1%5D:4711");
// other texts as they are.
std::string AddressOfPeer(std::string_view peer);

// The tokens in a file, one in each line; empty lines count for nothing. Errors name the file and
// no token. Reads the file: not on threads that must not block.
absl::StatusOr<std::vector<std::string>> ReadTokens(const std::string& path);
// The first of them; a file without one is an error, too.
absl::StatusOr<std::string> ReadFirstToken(const std::string& path);

// The token that this node presents: a fixed one, or the first of a file that may be replaced.
// Thread-safe.
class PresentedToken {
 public:
  // Presents nothing.
  PresentedToken() = default;
  // A file is looked at again every kTokenFileInterval of `clock`, which outlives this.
  PresentedToken(std::string token, std::string file, const Clock& clock)
      : token_(std::move(token)), file_(std::move(file)), clock_(&clock) {}

  // May read the file, without holding others up but for the first time. What was there before is
  // presented while it cannot be read, and the log says so.
  std::string Get() const;
  // What Get() returned last; never reads the file. "" before the first time, if it is a file's.
  std::string Current() const;

 private:
  const std::string token_;
  const std::string file_;
  const Clock* const clock_ = nullptr;
  mutable Mutex mutex_;
  mutable bool read_ SPILLWAY_GUARDED_BY(mutex_) = false;
  mutable MonoTime looked_ SPILLWAY_GUARDED_BY(mutex_);
  mutable std::string current_ SPILLWAY_GUARDED_BY(mutex_);
};

}  // namespace spillway::rpc
