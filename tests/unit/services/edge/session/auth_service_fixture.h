#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "services/edge/session/auth_service.h"
#include "services/edge/session/blocks.h"
#include "tests/unit/services/edge/session/session_fixture.h"

namespace spillway::edge {

// Keeps what it is asked, and answers as the test says.
class FakeService final : public AuthService {
 public:
  AuthVerdictRef Ask(AuthQuestion question, size_t worker, AuthWaitRef wait) override {
    EXPECT_EQ(worker, 3u);
    questions.push_back(std::move(question));
    if (at_once != nullptr) return at_once;
    waits.push_back(std::move(wait));
    return nullptr;
  }
  // To the one who has waited longest.
  void Answer(const AuthVerdict& verdict) {
    ASSERT_FALSE(waits.empty());
    const AuthWaitRef wait = std::move(waits.front());
    waits.erase(waits.begin());
    wait->Tell(verdict);
  }

  std::vector<AuthQuestion> questions;
  std::vector<AuthWaitRef> waits;
  AuthVerdictRef at_once;
};

inline AuthVerdict Allowed(std::optional<std::string> user = {}, const std::string& claims = "") {
  AuthVerdict verdict;
  verdict.kind = AuthVerdict::Kind::kAllowed;
  verdict.user = std::move(user);
  if (!claims.empty()) verdict.claims = *auth::Claims::Parse(claims);
  return verdict;
}
inline AuthVerdict Refused(int status = 403) {
  AuthVerdict verdict;
  verdict.kind = AuthVerdict::Kind::kRefused;
  verdict.status = status;
  verdict.reason = "banned";
  return verdict;
}
inline AuthVerdict Unavailable(AuthVerdict::Kind kind = AuthVerdict::Kind::kUnavailable) {
  AuthVerdict verdict;
  verdict.kind = kind;
  verdict.retry_after = std::chrono::seconds(7);
  return verdict;
}

class AuthServiceTest : public SessionTest {
 protected:
  AuthServiceTest() {
    context_.auth = &service_;
    context_.worker = 3;
    limits_options_.ips.failures = 2;
    limits_ = std::make_unique<ConnectionLimits>(limits_options_, clock_);
    context_.blocks = &limits_->blocks;
  }

  static EndpointOptions Asking(AuthServiceUse use = AuthServiceUse::kAlso) {
    EndpointOptions options;
    options.auth.service = use;
    options.heartbeat.interval = options.heartbeat.timeout = std::chrono::seconds(0);
    return options;
  }
  void BuildInstead(EndpointOptions options, std::vector<ChannelRule> rules = {}) {
    options.auth.service = AuthServiceUse::kInstead;
    verifier_.reset();
    Build(std::move(options), std::move(rules));
  }

  // An upgrade that waits; `decided_` is set once it is decided.
  void Begin(const http::Request& request) {
    UpgradeDecision decision = acceptor_->OnUpgrade(request, 0);
    EXPECT_FALSE(decision.refusal.has_value());
    EXPECT_EQ(decision.handler, nullptr);
    pending_ = std::move(decision.pending);
    ASSERT_NE(pending_, nullptr);
    pending_->Await([this](UpgradeDecision later) {
      decided_ = std::move(later);
      pending_.reset();  // as whoever waits may
    });
  }
  void BeginWith(const std::string& token) { Begin(RequestOf({{"token", token}})); }
  // "401 token_expired", or "" for one that is let in; "waiting".
  std::string Result() {
    if (!decided_.has_value()) return "waiting";
    if (!decided_->refusal.has_value()) return "";
    const std::string& body = decided_->refusal->body;
    const size_t at = body.find("\"code\":\"") + 8;
    return std::to_string(decided_->refusal->status) + " " +
           body.substr(at, body.find('"', at) - at);
  }
  Client OpenDecided() {
    Client client;
    client.session.reset(static_cast<Session*>(decided_->handler.release()));
    client.session->OnOpen(client.transport.get());
    decided_.reset();
    return client;
  }
  // Let in by the service, its hello taken.
  Client ConnectWith(const std::string& token, const AuthVerdict& verdict) {
    BeginWith(token);
    service_.Answer(verdict);
    EXPECT_EQ(Result(), "");
    Client client = OpenDecided();
    client.Take();
    return client;
  }
  std::string RetryAfter() {
    for (const auto& [name, value] : decided_->refusal->headers) {
      if (name == "Retry-After") return value;
    }
    return "";
  }
  void BlockUser(const std::string& user) {
    v1::ControlEntry entry;
    entry.set_kind(v1::CONTROL_KIND_USER_BLOCK);
    entry.set_subject(user);
    entry.set_issued_us(ToUnixMillis(clock_.WallNow()) * 1000);
    limits_->blocks.Merge(entry);
  }
  static std::string RefreshBy(const std::string& token) {
    return R"({"type":"refresh","id":1,"token":")" + token + "\"}";
  }
  int64_t NowMs() { return ToUnixMillis(clock_.WallNow()); }

  ConnectionLimits::Options limits_options_;
  FakeService service_;
  std::unique_ptr<PendingUpgrade> pending_;
  std::optional<UpgradeDecision> decided_;
};

}  // namespace spillway::edge
