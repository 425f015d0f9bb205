#include "tests/support/signing_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <stdexcept>
#include <vector>

#include "tests/support/jwt_factory.h"

namespace spillway::test {
namespace {

using Bytes = std::vector<unsigned char>;

std::string_view Text(const Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

EVP_PKEY* Generate(SigningKey::Kind kind, unsigned bits) {
  switch (kind) {
    case SigningKey::Kind::kRsa:
      return EVP_RSA_gen(bits);
    case SigningKey::Kind::kP256:
      return EVP_EC_gen("P-256");
    case SigningKey::Kind::kP384:
      return EVP_EC_gen("P-384");
    case SigningKey::Kind::kP521:
      return EVP_EC_gen("P-521");
    case SigningKey::Kind::kSecp256k1:
      return EVP_EC_gen("secp256k1");
    case SigningKey::Kind::kEd25519:
      return EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  }
  return nullptr;
}

std::string Number(const EVP_PKEY* key, const char* name, int width = 0) {
  BIGNUM* number = nullptr;
  if (EVP_PKEY_get_bn_param(key, name, &number) != 1) throw std::runtime_error("no such number");
  Bytes bytes(static_cast<size_t>(width == 0 ? BN_num_bytes(number) : width));
  BN_bn2binpad(number, bytes.data(), static_cast<int>(bytes.size()));
  BN_free(number);
  return Base64Url(Text(bytes));
}

std::string Raw(const Bytes& der, int width) {
  const unsigned char* data = der.data();
  ECDSA_SIG* pair = d2i_ECDSA_SIG(nullptr, &data, static_cast<long>(der.size()));
  Bytes raw(2 * static_cast<size_t>(width));
  BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw.data(), width);
  BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw.data() + width, width);
  ECDSA_SIG_free(pair);
  return std::string(Text(raw));
}

template <typename Write>
std::string Pem(Write write) {
  BIO* memory = BIO_new(BIO_s_mem());
  write(memory);
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory, &data);
  std::string text(data, static_cast<size_t>(size));
  BIO_free(memory);
  return text;
}

}  // namespace

void SigningKey::Free::operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }

SigningKey::SigningKey(Kind kind, unsigned bits) : kind_(kind), key_(Generate(kind, bits)) {
  if (key_ == nullptr) throw std::runtime_error("cannot make a key");
}

std::string SigningKey::RawToken(std::string_view algorithm, std::string_view header,
                                 std::string_view payload) const {
  const std::string text = Base64Url(header) + "." + Base64Url(payload);
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  EVP_PKEY_CTX* of_key = nullptr;
  const std::string hash = "SHA" + std::string(algorithm.substr(2));
  EVP_DigestSignInit_ex(context, &of_key, algorithm == "EdDSA" ? nullptr : hash.c_str(), nullptr,
                        nullptr, key_.get(), nullptr);
  if (algorithm.starts_with("PS")) {
    EVP_PKEY_CTX_set_rsa_padding(of_key, RSA_PKCS1_PSS_PADDING);
    EVP_PKEY_CTX_set_rsa_pss_saltlen(of_key, RSA_PSS_SALTLEN_DIGEST);
  }
  const auto* data = reinterpret_cast<const unsigned char*>(text.data());
  size_t size = 0;
  EVP_DigestSign(context, nullptr, &size, data, text.size());
  Bytes signature(size);
  if (EVP_DigestSign(context, signature.data(), &size, data, text.size()) != 1) {
    throw std::runtime_error("cannot sign");
  }
  EVP_MD_CTX_free(context);
  signature.resize(size);
  std::string bytes(Text(signature));
  if (algorithm.starts_with("ES")) {
    bytes = Raw(signature, (EVP_PKEY_get_bits(key_.get()) + 7) / 8);
  }
  return text + "." + Base64Url(bytes);
}

std::string SigningKey::Token(std::string_view algorithm, std::string_view payload,
                              std::string_view kid) const {
  std::string header = R"({"alg":")" + std::string(algorithm) + "\"";
  if (!kid.empty()) header += R"(,"kid":")" + std::string(kid) + "\"";
  return RawToken(algorithm, header + "}", payload);
}

std::string SigningKey::PublicPem() const {
  return Pem([this](BIO* out) { PEM_write_bio_PUBKEY(out, key_.get()); });
}

std::string SigningKey::PrivatePem() const {
  return Pem([this](BIO* out) {
    PEM_write_bio_PrivateKey(out, key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
}

std::string SigningKey::Jwk(std::string_view kid, std::string_view more) const {
  std::string json;
  const auto ec = [this](const char* curve, int width) {
    return R"("kty":"EC","crv":")" + std::string(curve) + R"(","x":")" +
           Number(key_.get(), OSSL_PKEY_PARAM_EC_PUB_X, width) + R"(","y":")" +
           Number(key_.get(), OSSL_PKEY_PARAM_EC_PUB_Y, width) + "\"";
  };
  switch (kind_) {
    case Kind::kRsa:
      json = R"("kty":"RSA","n":")" + Number(key_.get(), OSSL_PKEY_PARAM_RSA_N) + R"(","e":")" +
             Number(key_.get(), OSSL_PKEY_PARAM_RSA_E) + "\"";
      break;
    case Kind::kP256:
      json = ec("P-256", 32);
      break;
    case Kind::kP384:
      json = ec("P-384", 48);
      break;
    case Kind::kP521:
      json = ec("P-521", 66);
      break;
    case Kind::kSecp256k1:
      json = ec("secp256k1", 32);
      break;
    case Kind::kEd25519: {
      Bytes bytes(32);
      size_t size = bytes.size();
      EVP_PKEY_get_raw_public_key(key_.get(), bytes.data(), &size);
      json = R"("kty":"OKP","crv":"Ed25519","x":")" + Base64Url(Text(bytes)) + "\"";
      break;
    }
  }
  if (!kid.empty()) json += R"(,"kid":")" + std::string(kid) + "\"";
  return "{" + json + std::string(more) + "}";
}

std::string KeySetOf(const std::vector<std::string>& keys) {
  std::string json = "{\"keys\":[";
  for (size_t i = 0; i < keys.size(); ++i) json += (i > 0 ? "," : "") + keys[i];
  return json + "]}";
}

}  // namespace spillway::test
