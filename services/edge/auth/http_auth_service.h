#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "common/fetch/http_caller.h"
#include "common/log/rate_limited.h"
#include "services/edge/auth/auth_checks.h"
#include "services/edge/session/auth_service.h"

namespace spillway::edge {

// An authentication service that is asked over HTTP, on one thread of its own. Owned by EdgeApp;
// outlives the workers' threads.
class HttpAuthService final : public AuthService {
 public:
  struct Options {
    AuthChecks::Options checks;
    fetch::HttpCaller::Options http;
  };
  // Has a task run on a worker's thread; any thread.
  using Post = std::function<void(size_t worker, std::function<void()> task)>;

  // `key`: that nobody can guess. `clock` outlives it.
  static absl::StatusOr<std::unique_ptr<HttpAuthService>> Create(Options options,
                                                                 const std::string& key,
                                                                 const Clock& clock, Post post);

  void Start() { caller_.Start(); }
  // Nobody is told any more. Before the workers end, since it posts to them. Does not wait for the
  // network. Idempotent.
  void Stop() { caller_.Stop(); }

  AuthVerdictRef Ask(AuthQuestion question, size_t worker, AuthWaitRef wait) override;
  const AuthChecks& checks() const { return *checks_; }

 private:
  HttpAuthService(Options options, const Clock& clock);

  void Call(uint64_t number, std::string body, std::chrono::milliseconds timeout);
  void OnAnswer(uint64_t number, const fetch::HttpCaller::Answer& answer);

  const std::string shown_url_;
  log::RateLimited log_;
  std::unique_ptr<AuthChecks> checks_;
  fetch::HttpCaller caller_;  // calls the above until its Stop()
};

}  // namespace spillway::edge
