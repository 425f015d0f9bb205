#include "services/edge/app/auth_options.h"

#include <sys/random.h>

#include <chrono>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/fetch/http_fetcher.h"
#include "common/rpc/credentials.h"

namespace spillway::edge {
namespace {

using std::chrono::milliseconds;

constexpr size_t kKeyBytes = 32;

absl::Status At(const char* key, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("edge.auth_service.", key, ": ", what));
}

absl::Status CheckCredential(const v1::AuthServiceConfig& config) {
  if (!config.bearer_token().empty() && !config.token_file().empty()) {
    return At("token_file", "there is bearer_token as well: give one of them");
  }
  if (!config.bearer_token().empty()) {
    if (const absl::Status status = rpc::CheckToken(config.bearer_token()); !status.ok()) {
      return At("bearer_token", status.message());
    }
  }
  if (config.token_file().empty()) return absl::OkStatus();
  const auto token = rpc::ReadFirstToken(config.token_file());
  return token.ok() ? absl::OkStatus() : At("token_file", token.status().message());
}

}  // namespace

absl::StatusOr<HttpAuthService::Options> MakeAuthOptions(const v1::AuthServiceConfig& config,
                                                         const Clock& clock) {
  if (!fetch::IsHttpUrl(config.url()))
    return At("url", "expected http://HOST... or https://HOST...");
  if (absl::Status status = CheckCredential(config); !status.ok()) return status;
  if (!config.ca_file().empty() && !std::ifstream(config.ca_file()).good()) {
    return At("ca_file", absl::StrCat("cannot read file ", config.ca_file()));
  }
  HttpAuthService::Options options;
  options.checks.timeout = milliseconds(config.timeout());
  options.checks.cache_ttl = milliseconds(config.cache_ttl());
  options.checks.refusal_ttl = milliseconds(config.refusal_ttl());
  options.checks.cache.entries = static_cast<size_t>(config.cache_entries());
  options.checks.cache.bytes = static_cast<size_t>(config.cache_bytes());
  options.checks.max_calls = static_cast<size_t>(config.max_calls());
  options.checks.max_waiting = static_cast<size_t>(config.max_waiting());
  options.checks.breaker.failures = static_cast<uint32_t>(config.failures());
  options.checks.breaker.pause = milliseconds(config.pause());
  options.http.url = config.url();
  options.http.ca_file = config.ca_file();
  options.http.max_bytes = static_cast<size_t>(config.max_answer_bytes());
  options.http.max_connections = static_cast<size_t>(config.max_calls());
  options.http.thread_name = "edge-auth";
  if (config.bearer_token().empty() && config.token_file().empty()) return options;
  const bool bearer = absl::EqualsIgnoreCase(config.header(), "authorization");
  options.http.headers = [token = std::make_shared<rpc::PresentedToken>(config.bearer_token(),
                                                                        config.token_file(), clock),
                          before = absl::StrCat(config.header(), bearer ? ": Bearer " : ": ")] {
    return std::vector<std::string>{before + token->Get()};
  };
  return options;
}

absl::StatusOr<std::unique_ptr<HttpAuthService>> MakeAuthService(
    const v1::AuthServiceConfig& config, const Clock& clock, HttpAuthService::Post post) {
  if (config.url().empty()) return nullptr;
  auto options = MakeAuthOptions(config, clock);
  if (!options.ok()) return options.status();
  std::string key(kKeyBytes, '\0');
  if (::getrandom(key.data(), key.size(), 0) != static_cast<ssize_t>(key.size())) {
    return absl::InternalError("the system has no random bytes");
  }
  return HttpAuthService::Create(*std::move(options), key, clock, std::move(post));
}

}  // namespace spillway::edge
