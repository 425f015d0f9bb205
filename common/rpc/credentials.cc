#include "common/rpc/credentials.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/strings.h"
#include "common/log/log.h"

namespace spillway::rpc {
namespace {

static_assert(sizeof(TokenDigest) == SHA256_DIGEST_LENGTH);

constexpr size_t kMaxFileBytes = 64 << 10;
constexpr size_t kMaxFileTokens = 100;

}  // namespace

TokenDigest DigestOf(std::string_view token) {
  TokenDigest digest;
  SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(), digest.data());
  return digest;
}

bool SameDigest(const TokenDigest& a, const TokenDigest& b) {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
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

absl::Status CheckToken(std::string_view token) {
  if (token.empty()) return absl::InvalidArgumentError("a token must not be empty");
  if (token.front() == ' ' || token.back() == ' ' ||
      !std::all_of(token.begin(), token.end(), [](char c) { return c >= ' ' && c <= '~'; })) {
    return absl::InvalidArgumentError(
        "a token is printable ASCII, without spaces at its ends: others cannot be presented");
  }
  return absl::OkStatus();
}

std::string AddressOfPeer(std::string_view peer) {
  const bool v4 = peer.starts_with("ipv4:");
  if (!v4 && !peer.starts_with("ipv6:")) return std::string(peer);
  std::string_view rest = peer.substr(5);
  rest = rest.substr(0, rest.rfind(':'));
  if (v4) return std::string(rest);
  return absl::StrReplaceAll(Abs(rest),
                             {{"%5B", ""}, {"%5D", ""}, {"%25", "%"}, {"[", ""}, {"]", ""}});
}

absl::StatusOr<std::vector<std::string>> ReadTokens(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kMaxFileBytes + 1, '\0');
  if (file) file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file && !file.eof()) {
    return absl::InvalidArgumentError(absl::StrCat("the token file '", path, "' cannot be read"));
  }
  text.resize(static_cast<size_t>(file.gcount()));
  if (text.size() > kMaxFileBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("the token file '", path, "' has more than ", kMaxFileBytes, " bytes"));
  }
  std::vector<std::string> tokens;
  int number = 0;
  for (std::string_view left = text; !left.empty();) {
    const size_t end = left.find('\n');
    std::string_view line = left.substr(0, end);
    left = end == std::string_view::npos ? std::string_view() : left.substr(end + 1);
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    if (const absl::Status status = CheckToken(line); !status.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("the token file '", path, "', line ", number, ": ", status.message()));
    }
    tokens.emplace_back(line);
  }
  if (tokens.size() > kMaxFileTokens) {
    return absl::InvalidArgumentError(
        absl::StrCat("the token file '", path, "' has more than ", kMaxFileTokens, " tokens"));
  }
  return tokens;
}

absl::StatusOr<std::string> ReadFirstToken(const std::string& path) {
  auto tokens = ReadTokens(path);
  if (!tokens.ok()) return tokens.status();
  if (tokens->empty()) return absl::InvalidArgumentError("there is no token in the file");
  return std::move(tokens->front());
}

std::string PresentedToken::Get() const {
  if (file_.empty()) return token_;
  const MonoTime now = clock_->Now();
  {
    MutexLock lock(mutex_);
    if (read_ && now - looked_ < kTokenFileInterval) return current_;
    looked_ = now;
    // The first time, others wait for it: without a token they would be refused.
    if (!read_) {
      read_ = true;
      if (auto token = ReadFirstToken(file_); token.ok()) current_ = *std::move(token);
      return current_;
    }
  }
  auto token = ReadFirstToken(file_);
  if (!token.ok()) {
    log::Warn("the token to present cannot be read anew: the one of before is presented",
              {{"file", file_}, {"error", Std(token.status().message())}});
  }
  MutexLock lock(mutex_);
  if (token.ok()) current_ = *std::move(token);
  return current_;
}

std::string PresentedToken::Current() const {
  if (file_.empty()) return token_;
  MutexLock lock(mutex_);
  return current_;
}

}  // namespace spillway::rpc
