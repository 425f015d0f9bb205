#include "common/auth/key_set.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <simdjson.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/auth/json_web_key.h"
#include "common/base/strings.h"

namespace spillway::auth {
namespace {

absl::Status Wrong(absl::string_view what) { return absl::InvalidArgumentError(what); }

absl::Status CheckSize(std::string_view text) {
  if (text.size() <= KeySet::kMaxBytes) return absl::OkStatus();
  return Wrong(absl::StrCat("more than ", KeySet::kMaxBytes / 1024, " KiB"));
}

// One block of a PEM text.
struct Block {
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;
  ~Block() {
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
  }
};

}  // namespace

KeySet::Made KeySet::Finish(KeySet set, absl::string_view none) {
  if (set.keys_.empty()) return Wrong(none);
  for (const auto& key : set.keys_) set.has_short_secret_ |= key->is_short_secret();
  return std::make_shared<const KeySet>(std::move(set));
}

KeySet::Made KeySet::FromSecrets(const std::vector<std::string>& secrets, AlgorithmSet allowed) {
  KeySet set;
  for (const std::string& secret : secrets) {
    auto key = VerifyKey::FromSecret(secret, allowed);
    if (!key.ok()) return key.status();
    set.keys_.push_back(*std::move(key));
  }
  return Finish(std::move(set), "there is no secret: give at least one");
}

KeySet::Made KeySet::FromSecretLines(std::string_view text, AlgorithmSet allowed) {
  if (absl::Status status = CheckSize(text); !status.ok()) return status;
  std::vector<std::string> secrets;
  for (absl::string_view line : absl::StrSplit(Abs(text), '\n')) {
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty()) continue;
    if (secrets.size() == kMaxKeys) return Wrong(absl::StrCat("more than ", kMaxKeys, " secrets"));
    secrets.emplace_back(line);
  }
  return FromSecrets(secrets, allowed);
}

KeySet::Made KeySet::FromPem(std::string_view text, AlgorithmSet allowed) {
  if (absl::Status status = CheckSize(text); !status.ok()) return status;
  const std::unique_ptr<BIO, decltype(&BIO_free)> input(
      BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free);
  KeySet set;
  bool certificate = false;
  for (;;) {
    Block block;
    if (PEM_read_bio(input.get(), &block.name, &block.header, &block.data, &block.size) != 1) break;
    const std::string_view name = block.name;
    const unsigned char* data = block.data;
    PublicKey public_key;
    if (name == PEM_STRING_PUBLIC) {
      public_key.reset(d2i_PUBKEY(nullptr, &data, block.size));
    } else if (name == PEM_STRING_RSA_PUBLIC) {
      public_key.reset(d2i_PublicKey(EVP_PKEY_RSA, nullptr, &data, block.size));
    } else if (name == PEM_STRING_X509) {
      // Those behind the first are its authorities: their keys sign no tokens.
      if (std::exchange(certificate, true)) continue;
      const std::unique_ptr<X509, decltype(&X509_free)> cert(d2i_X509(nullptr, &data, block.size),
                                                             X509_free);
      if (cert != nullptr) public_key.reset(X509_get_pubkey(cert.get()));
    } else if (name.find("PRIVATE KEY") != std::string_view::npos) {
      ERR_clear_error();
      return Wrong("a private key, which does not belong here: give the public one");
    } else {
      continue;
    }
    if (set.keys_.size() == kMaxKeys) return Wrong(absl::StrCat("more than ", kMaxKeys, " keys"));
    auto key = VerifyKey::FromPublicKey(std::move(public_key), allowed);
    if (!key.ok()) return key.status();
    set.keys_.push_back(*std::move(key));
  }
  ERR_clear_error();  // the end is told as an error
  return Finish(std::move(set), "no public key and no certificate in PEM");
}

KeySet::Made KeySet::FromJwks(std::string_view text, AlgorithmSet allowed, bool trusted) {
  if (absl::Status status = CheckSize(text); !status.ok()) return status;
  simdjson::dom::parser parser;
  simdjson::dom::object root;
  if (parser.parse(text.data(), text.size()).get(root) != simdjson::SUCCESS) {
    return Wrong("no JSON object");
  }
  size_t times = 0;
  simdjson::dom::array list;
  for (const auto& [name, value] : root) {
    if (name != "keys") continue;
    ++times;
    if (value.get_array().get(list) != simdjson::SUCCESS) return Wrong("'keys' is no list");
  }
  if (times != 1) return Wrong("a key set has the member 'keys' once");
  KeySet set;
  size_t index = 0;
  for (const simdjson::dom::element element : list) {
    const std::string place = absl::StrCat("keys[", index++, "]: ");
    if (index > kMaxKeys) return Wrong(absl::StrCat("more than ", kMaxKeys, " keys"));
    JsonWebKey read = ReadJsonWebKey(element, allowed, trusted);
    if (read.key != nullptr) {
      set.keys_.push_back(std::move(read.key));
    } else if (trusted && read.unfit) {
      return Wrong(place + read.reason);
    } else {
      set.left_out_.push_back(place + read.reason);
    }
  }
  std::string none = "no key in it can be used";
  if (!set.left_out_.empty()) absl::StrAppend(&none, ": ", set.left_out_.front());
  return Finish(std::move(set), none);
}

KeySet::Verdict KeySet::Check(Algorithm algorithm, std::string_view kid, std::string_view text,
                              std::string_view signature) const {
  size_t tries = 0;
  const auto matches = [&](const VerifyKey& key) {
    return key.algorithms().Has(algorithm) && ++tries <= kMaxTries &&
           key.Matches(algorithm, text, signature);
  };
  bool named = false;
  if (!kid.empty()) {
    for (const auto& key : keys_) {
      if (key->kid() != kid) continue;
      named = true;
      if (matches(*key)) return Verdict::kMatches;
    }
  }
  if (named) return Verdict::kNoMatch;
  for (const auto& key : keys_) {
    if (!kid.empty() && !key->kid().empty()) continue;
    if (matches(*key)) return Verdict::kMatches;
  }
  return !kid.empty() && tries == 0 ? Verdict::kUnknownKey : Verdict::kNoMatch;
}

}  // namespace spillway::auth
