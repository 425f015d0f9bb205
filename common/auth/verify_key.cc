#include "common/auth/verify_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/params.h>
#include <openssl/rsa.h>

#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace spillway::auth {
namespace {

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

absl::Status Unfit(absl::string_view what) { return absl::InvalidArgumentError(what); }

// OpenSSL's name of the algorithm's hash; EdDSA has its own.
const char* HashOf(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::kHs256:
    case Algorithm::kRs256:
    case Algorithm::kPs256:
    case Algorithm::kEs256:
      return "SHA256";
    case Algorithm::kHs384:
    case Algorithm::kRs384:
    case Algorithm::kPs384:
    case Algorithm::kEs384:
      return "SHA384";
    case Algorithm::kHs512:
    case Algorithm::kRs512:
    case Algorithm::kPs512:
    case Algorithm::kEs512:
      return "SHA512";
    case Algorithm::kEdDsa:
      return nullptr;
  }
  return nullptr;
}

// Bytes of each of an ECDSA signature's two numbers (RFC 7518, section 3.4); 0: not ECDSA.
size_t EcdsaBytes(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::kEs256:
      return 32;
    case Algorithm::kEs384:
      return 48;
    case Algorithm::kEs512:
      return 66;
    default:
      return 0;
  }
}

// The algorithm of an EC key's curve. Keys that spell their curve out have no name for it.
std::optional<Algorithm> OfCurve(const EVP_PKEY* key) {
  char name[64];
  size_t size = 0;
  if (EVP_PKEY_get_group_name(key, name, sizeof name, &size) != 1) return std::nullopt;
  int curve = OBJ_sn2nid(name);
  if (curve == NID_undef) curve = EC_curve_nist2nid(name);
  switch (curve) {
    case NID_X9_62_prime256v1:
      return Algorithm::kEs256;
    case NID_secp384r1:
      return Algorithm::kEs384;
    case NID_secp521r1:
      return Algorithm::kEs512;
    default:
      return std::nullopt;
  }
}

bool IsSound(EVP_PKEY* key) {
  const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context(
      EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr), EVP_PKEY_CTX_free);
  return context != nullptr && EVP_PKEY_public_check(context.get()) == 1;
}

// What the key is for, whatever its owner allows.
absl::StatusOr<AlgorithmSet> AlgorithmsOf(EVP_PKEY* key) {
  const bool pss = EVP_PKEY_is_a(key, "RSA-PSS") == 1;
  if (pss || EVP_PKEY_is_a(key, "RSA") == 1) {
    const int bits = EVP_PKEY_get_bits(key);
    if (bits < VerifyKey::kLeastRsaBits) {
      return Unfit(absl::StrCat("an RSA key of ", bits,
                                " bits is too weak: ", VerifyKey::kLeastRsaBits, " is the least"));
    }
    if (bits > VerifyKey::kMostRsaBits) {
      return Unfit(absl::StrCat("an RSA key of ", bits,
                                " bits is too large: ", VerifyKey::kMostRsaBits, " is the most"));
    }
    if (!IsSound(key)) return Unfit("an RSA key whose numbers do not make one");
    return pss ? kPssAlgorithms : kRsaAlgorithms;
  }
  if (EVP_PKEY_is_a(key, "EC") == 1) {
    const std::optional<Algorithm> algorithm = OfCurve(key);
    if (!algorithm) return Unfit("an EC key of another curve than P-256, P-384 or P-521");
    if (!IsSound(key)) return Unfit("an EC key whose point is not on its curve");
    return AlgorithmSet{*algorithm};
  }
  if (EVP_PKEY_is_a(key, "ED25519") == 1) return AlgorithmSet{Algorithm::kEdDsa};
  return Unfit("a key of an unknown kind: RSA, EC and Ed25519 are known");
}

std::string NamesOf(AlgorithmSet algorithms) {
  std::string names;
  for (size_t i = 0; i < kAlgorithms; ++i) {
    const auto algorithm = static_cast<Algorithm>(i);
    if (!algorithms.Has(algorithm)) continue;
    absl::StrAppend(&names, names.empty() ? "" : ", ", std::string(NameOf(algorithm)));
  }
  return names;
}

absl::StatusOr<AlgorithmSet> Allowed(AlgorithmSet fitting, AlgorithmSet allowed) {
  const AlgorithmSet both = fitting & allowed;
  if (both.empty()) {
    return Unfit(absl::StrCat("none of the allowed algorithms fits the key, which is for ",
                              NamesOf(fitting)));
  }
  return both;
}

struct SignatureFree {
  void operator()(ECDSA_SIG* signature) const { ECDSA_SIG_free(signature); }
};

// From a token's form, two numbers of equal length, to the DER that OpenSSL takes; "" if it is not
// of that form.
std::string ToDer(std::string_view signature, size_t bytes) {
  if (signature.size() != 2 * bytes) return {};
  const int length = static_cast<int>(bytes);
  const std::unique_ptr<ECDSA_SIG, SignatureFree> pair(ECDSA_SIG_new());
  BIGNUM* r = BN_bin2bn(Bytes(signature), length, nullptr);
  BIGNUM* s = BN_bin2bn(Bytes(signature) + bytes, length, nullptr);
  if (pair == nullptr || r == nullptr || s == nullptr || ECDSA_SIG_set0(pair.get(), r, s) != 1) {
    BN_free(r);
    BN_free(s);
    return {};
  }
  unsigned char der[2 * 66 + 16];  // P-521's, with what DER adds
  unsigned char* end = der;
  const int size = i2d_ECDSA_SIG(pair.get(), nullptr);
  if (size <= 0 || static_cast<size_t>(size) > sizeof der) return {};
  i2d_ECDSA_SIG(pair.get(), &end);
  return std::string(reinterpret_cast<char*>(der), static_cast<size_t>(size));
}

}  // namespace

void PublicKeyFree::operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }

VerifyKey::Made VerifyKey::FromSecret(std::string_view secret, AlgorithmSet allowed,
                                      std::string kid) {
  if (secret.empty()) return Unfit("the secret is empty");
  const auto algorithms = Allowed(kSecretAlgorithms, allowed);
  if (!algorithms.ok()) return algorithms.status();
  std::shared_ptr<VerifyKey> key(new VerifyKey(*algorithms, std::move(kid)));
  key->is_short_secret_ = secret.size() < kLeastSecretBytes;
  for (size_t i = 0; i < key->macs_.size(); ++i) {
    const auto algorithm = static_cast<Algorithm>(i);
    if (!algorithms->Has(algorithm)) continue;
    key->macs_[i] = Hmac::Create(HashOf(algorithm), secret);
    if (key->macs_[i] == nullptr) return Unfit("the secret cannot be used as a key");
  }
  return key;
}

VerifyKey::Made VerifyKey::FromPublicKey(PublicKey public_key, AlgorithmSet allowed,
                                         std::string kid) {
  if (public_key == nullptr) return Unfit("no key that can be read");
  const auto fitting = AlgorithmsOf(public_key.get());
  ERR_clear_error();
  if (!fitting.ok()) return fitting.status();
  const auto algorithms = Allowed(*fitting, allowed);
  if (!algorithms.ok()) return algorithms.status();
  std::shared_ptr<VerifyKey> key(new VerifyKey(*algorithms, std::move(kid)));
  key->key_ = std::move(public_key);
  return key;
}

bool VerifyKey::Matches(Algorithm algorithm, std::string_view text,
                        std::string_view signature) const {
  if (!algorithms_.Has(algorithm)) return false;
  if (key_ == nullptr) return macs_[static_cast<size_t>(algorithm)]->Matches(text, signature);

  std::string der;
  if (const size_t bytes = EcdsaBytes(algorithm); bytes != 0) {
    der = ToDer(signature, bytes);
    if (der.empty()) return false;
    signature = der;
  }
  char padding[] = OSSL_PKEY_RSA_PAD_MODE_PSS;
  char salt[] = OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST;  // RFC 7518, section 3.5
  const OSSL_PARAM pss[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, padding, 0),
      OSSL_PARAM_construct_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, salt, 0),
      OSSL_PARAM_construct_end()};
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
  const bool matches =
      context != nullptr &&
      EVP_DigestVerifyInit_ex(context.get(), nullptr, HashOf(algorithm), nullptr, nullptr,
                              key_.get(), kPssAlgorithms.Has(algorithm) ? pss : nullptr) == 1 &&
      EVP_DigestVerify(context.get(), Bytes(signature), signature.size(), Bytes(text),
                       text.size()) == 1;
  // What it left there would be taken for an error of a TLS connection of this thread.
  if (!matches) ERR_clear_error();
  return matches;
}

}  // namespace spillway::auth
