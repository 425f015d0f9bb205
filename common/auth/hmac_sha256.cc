#include "common/auth/hmac_sha256.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <utility>

namespace spillway::auth {
namespace {

constexpr size_t kDigestBytes = 32;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

void HmacSha256::Free::operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }

std::unique_ptr<HmacSha256> HmacSha256::Create(std::string_view key) {
  const std::unique_ptr<EVP_MAC, decltype(&EVP_MAC_free)> hmac(
      EVP_MAC_fetch(nullptr, OSSL_MAC_NAME_HMAC, nullptr), EVP_MAC_free);
  Context keyed(hmac == nullptr ? nullptr : EVP_MAC_CTX_new(hmac.get()));
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end()};
  if (keyed == nullptr || EVP_MAC_init(keyed.get(), Bytes(key), key.size(), parameters) != 1) {
    return nullptr;
  }
  return std::unique_ptr<HmacSha256>(new HmacSha256(std::move(keyed)));
}

HmacSha256::Context HmacSha256::Take() const {
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

bool HmacSha256::Matches(std::string_view data, std::string_view mac) const {
  Context context = Take();
  unsigned char made[kDigestBytes];
  size_t size = 0;
  // Without a key it begins anew with the one it has.
  const bool good = context != nullptr && EVP_MAC_init(context.get(), nullptr, 0, nullptr) == 1 &&
                    EVP_MAC_update(context.get(), Bytes(data), data.size()) == 1 &&
                    EVP_MAC_final(context.get(), made, &size, sizeof made) == 1;
  if (!good || size != kDigestBytes) return false;
  {
    MutexLock lock(mutex_);
    idle_.push_back(std::move(context));
  }
  return mac.size() == kDigestBytes && CRYPTO_memcmp(made, mac.data(), kDigestBytes) == 0;
}

}  // namespace spillway::auth
