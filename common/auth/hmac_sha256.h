#pragma once

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/mutex.h"

using EVP_MAC_CTX = struct evp_mac_ctx_st;

namespace spillway::auth {

// HMAC-SHA-256 (RFC 2104) with one key, by OpenSSL. Setting a key up costs more than using it, so
// contexts that have it are kept: as many as threads were in Matches() at once. Any thread.
class HmacSha256 {
 public:
  // Null when OpenSSL cannot.
  static std::unique_ptr<HmacSha256> Create(std::string_view key);
  HmacSha256(const HmacSha256&) = delete;
  HmacSha256& operator=(const HmacSha256&) = delete;

  // Whether `mac` is that of `data`, in a time that does not tell where they differ.
  bool Matches(std::string_view data, std::string_view mac) const;

 private:
  struct Free {
    void operator()(EVP_MAC_CTX* context) const;
  };
  using Context = std::unique_ptr<EVP_MAC_CTX, Free>;

  explicit HmacSha256(Context keyed) : keyed_(std::move(keyed)) {}
  Context Take() const;

  const Context keyed_;  // copied, never used
  mutable Mutex mutex_;
  mutable std::vector<Context> idle_ SPILLWAY_GUARDED_BY(mutex_);
};

}  // namespace spillway::auth
