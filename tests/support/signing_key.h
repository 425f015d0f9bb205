#pragma once

#include <openssl/types.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace spillway::test {

// A private key that signs tokens as an issuer would, with nothing but OpenSSL. For one thread.
class SigningKey {
 public:
  enum class Kind { kRsa, kP256, kP384, kP521, kEd25519, kSecp256k1 };

  // Fresh. `bits`: of an RSA key.
  explicit SigningKey(Kind kind, unsigned bits = 2048);

  // Header and payload as they are, with the signature that belongs to them. `algorithm` says how,
  // whatever the header says.
  std::string RawToken(std::string_view algorithm, std::string_view header,
                       std::string_view payload) const;
  // With {"alg":ALGORITHM,"kid":KID} as the header, without `kid` if it is empty.
  std::string Token(std::string_view algorithm, std::string_view payload,
                    std::string_view kid = {}) const;

  std::string PublicPem() const;
  std::string PrivatePem() const;
  // A JSON Web Key; `more` is put among its members, such as `,"use":"sig"`.
  std::string Jwk(std::string_view kid = {}, std::string_view more = {}) const;

  EVP_PKEY* key() const { return key_.get(); }

 private:
  struct Free {
    void operator()(EVP_PKEY* key) const;
  };
  Kind kind_;
  std::unique_ptr<EVP_PKEY, Free> key_;
};

// {"keys":[...]} of JSON Web Keys.
std::string KeySetOf(const std::vector<std::string>& keys);

}  // namespace spillway::test
