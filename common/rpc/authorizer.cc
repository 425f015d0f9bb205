#include "common/rpc/authorizer.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/strings.h"

namespace spillway::rpc {
namespace {

using Digest = std::array<unsigned char, SHA256_DIGEST_LENGTH>;

// Digests have one length, so that not even the length of a secret shows in the time.
Digest DigestOf(std::string_view text) {
  Digest digest;
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return digest;
}

}  // namespace

std::string_view ServiceOfMethod(std::string_view method) {
  if (!method.starts_with('/')) return {};
  const size_t slash = method.find('/', 1);
  return slash == std::string_view::npos ? std::string_view() : method.substr(1, slash - 1);
}

std::string_view BearerToken(std::string_view authorization) {
  static constexpr std::string_view kScheme = "bearer ";
  if (!absl::StartsWithIgnoreCase(Abs(authorization), Abs(kScheme))) return {};
  authorization.remove_prefix(kScheme.size());
  const size_t start = authorization.find_first_not_of(' ');
  if (start == std::string_view::npos) return {};
  const size_t end = authorization.find_last_not_of(' ');
  return authorization.substr(start, end - start + 1);
}

Authorizer BearerAuthorizer(std::string_view token, std::vector<std::string> services) {
  return [expected = DigestOf(token), services = std::move(services)](
             std::string_view method, std::string_view authorization) {
    const std::string_view service = ServiceOfMethod(method);
    if (std::find(services.begin(), services.end(), service) == services.end()) {
      return absl::OkStatus();
    }
    const std::string_view given = BearerToken(authorization);
    if (given.empty()) {
      return absl::UnauthenticatedError(
          absl::StrCat(Abs(service), " needs the metadata 'authorization: Bearer <token>'"));
    }
    const Digest digest = DigestOf(given);
    if (CRYPTO_memcmp(digest.data(), expected.data(), digest.size()) != 0) {
      return absl::UnauthenticatedError(
          absl::StrCat("the bearer token is not the one that ", Abs(service), " is set up with"));
    }
    return absl::OkStatus();
  };
}

Authorizer BearerAuthorizers(
    const std::vector<std::pair<std::string, std::string>>& tokens_and_services) {
  std::vector<Authorizer> all;
  for (const auto& [token, service] : tokens_and_services) {
    if (!token.empty()) all.push_back(BearerAuthorizer(token, {service}));
  }
  if (all.empty()) return nullptr;
  return [all = std::move(all)](std::string_view method, std::string_view authorization) {
    for (const Authorizer& one : all) {
      if (absl::Status status = one(method, authorization); !status.ok()) return status;
    }
    return absl::OkStatus();
  };
}

}  // namespace spillway::rpc
