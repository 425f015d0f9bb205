#include "services/edge/auth/http_auth_service.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/strings.h"
#include "common/fetch/http_fetcher.h"

namespace spillway::edge {
namespace {

constexpr std::chrono::seconds kLogInterval{10};

}  // namespace

HttpAuthService::HttpAuthService(Options options, const Clock& clock)
    : shown_url_(fetch::ShownUrl(options.http.url)),
      log_(clock, kLogInterval),
      caller_(std::move(options.http)) {}

absl::StatusOr<std::unique_ptr<HttpAuthService>> HttpAuthService::Create(Options options,
                                                                         const std::string& key,
                                                                         const Clock& clock,
                                                                         Post post) {
  const AuthChecks::Options checks = options.checks;
  auto service = std::unique_ptr<HttpAuthService>(new HttpAuthService(std::move(options), clock));
  auto made = AuthChecks::Create(
      checks, key, clock,
      [&service = *service](uint64_t number, std::string body, std::chrono::milliseconds timeout) {
        service.Call(number, std::move(body), timeout);
      },
      [post = std::move(post)](size_t worker, AuthWaitRef wait, AuthVerdictRef verdict) {
        if (!wait->Tells(*verdict)) return;
        post(worker,
             [wait = std::move(wait), verdict = std::move(verdict)] { wait->Tell(*verdict); });
      });
  if (!made.ok()) return made.status();
  service->checks_ = *std::move(made);
  return service;
}

AuthVerdictRef HttpAuthService::Ask(AuthQuestion question, size_t worker, AuthWaitRef wait) {
  return checks_->Ask(question, worker, std::move(wait));
}

void HttpAuthService::Call(uint64_t number, std::string body, std::chrono::milliseconds timeout) {
  caller_.Post(std::move(body), timeout, [this, number](const fetch::HttpCaller::Answer& answer) {
    OnAnswer(number, answer);
  });
}

void HttpAuthService::OnAnswer(uint64_t number, const fetch::HttpCaller::Answer& answer) {
  absl::StatusOr<AuthAnswer> understood = answer.status == 0
                                              ? absl::UnavailableError(answer.error)
                                              : ParseAuthAnswer(answer.status, answer.body);
  if (!understood.ok()) {
    log_.Warn("failed", "the authentication service gave no answer about a client",
              {{"url", shown_url_}, {"error", Std(understood.status().message())}});
  }
  checks_->OnAnswer(number, understood);
}

}  // namespace spillway::edge
