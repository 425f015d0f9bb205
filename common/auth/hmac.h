#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/mutex.h"

using EVP_MAC_CTX = struct evp_mac_ctx_st;

namespace spillway::auth {

// HMAC (RFC 2104) with one key and one hash, by OpenSSL. Setting a key up costs more than using it,
// so contexts that have it are kept: as many as threads were in Of() at once. Any thread.
class Hmac {
 public:
  // `hash`: OpenSSL's name, "SHA256". Null when OpenSSL cannot.
  static std::unique_ptr<Hmac> Create(const char* hash, std::string_view key);
  Hmac(const Hmac&) = delete;
  Hmac& operator=(const Hmac&) = delete;

  // That of `data`; "" when OpenSSL cannot.
  std::string Of(std::string_view data) const;
  // Whether `mac` is that of `data`, whole, in a time that does not tell where they differ.
  bool Matches(std::string_view data, std::string_view mac) const;

 private:
  struct Free {
    void operator()(EVP_MAC_CTX* context) const;
  };
  using Context = std::unique_ptr<EVP_MAC_CTX, Free>;

  explicit Hmac(Context keyed) : keyed_(std::move(keyed)) {}
  Context Take() const;

  const Context keyed_;  // copied, never used
  mutable Mutex mutex_;
  mutable std::vector<Context> idle_ SPILLWAY_GUARDED_BY(mutex_);
};

}  // namespace spillway::auth
