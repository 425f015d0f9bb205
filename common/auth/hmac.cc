#include "common/auth/hmac.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <utility>

namespace spillway::auth {
namespace {

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

void Hmac::Free::operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }

std::unique_ptr<Hmac> Hmac::Create(const char* hash, std::string_view key) {
  const std::unique_ptr<EVP_MAC, decltype(&EVP_MAC_free)> hmac(
      EVP_MAC_fetch(nullptr, OSSL_MAC_NAME_HMAC, nullptr), EVP_MAC_free);
  Context keyed(hmac == nullptr ? nullptr : EVP_MAC_CTX_new(hmac.get()));
  const OSSL_PARAM parameters[] = {
      // The library does not write to it.
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>(hash), 0),
      OSSL_PARAM_construct_end()};
  if (keyed == nullptr || EVP_MAC_init(keyed.get(), Bytes(key), key.size(), parameters) != 1) {
    return nullptr;
  }
  return std::unique_ptr<Hmac>(new Hmac(std::move(keyed)));
}

Hmac::Context Hmac::Take() const {
  {
    MutexLock lock(mutex_);
    if (!idle_.empty()) {
      Context context = std::move(idle_.back());
      idle_.pop_back();
      return context;
    }
  }
  return Context(EVP_MAC_CTX_dup(keyed_.get()));
}

std::string Hmac::Of(std::string_view data) const {
  Context context = Take();
  unsigned char made[EVP_MAX_MD_SIZE];
  size_t size = 0;
  // Without a key it begins anew with the one it has.
  const bool good = context != nullptr && EVP_MAC_init(context.get(), nullptr, 0, nullptr) == 1 &&
                    EVP_MAC_update(context.get(), Bytes(data), data.size()) == 1 &&
                    EVP_MAC_final(context.get(), made, &size, sizeof made) == 1;
  if (!good) return {};
  {
    MutexLock lock(mutex_);
    idle_.push_back(std::move(context));
  }
  return {reinterpret_cast<const char*>(made), size};
}

bool Hmac::Matches(std::string_view data, std::string_view mac) const {
  const std::string made = Of(data);
  return !made.empty() && mac.size() == made.size() &&
         CRYPTO_memcmp(made.data(), mac.data(), made.size()) == 0;
}

}  // namespace spillway::auth
