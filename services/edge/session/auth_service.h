#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/auth/claims.h"

namespace spillway::edge {

// What an authentication service is asked about a client.
struct AuthQuestion {
  std::string token = {};  // as the client gave it; empty: none
  std::string user = {};   // that a token names which is good; empty: nobody checked one
  std::string path = {};   // of the request
  std::string ip = {};
  std::string origin = {};
  std::string user_agent = {};
  std::vector<std::pair<std::string, std::string>> params = {};  // that the endpoint knows
  std::string correlation_id = {};  // of whoever asks first: it does not tell questions apart
};

// What came of it. Immutable once it is handed out.
struct AuthVerdict {
  static constexpr int64_t kNever = INT64_MAX;

  enum class Kind : uint8_t {
    kAllowed,
    kRefused,
    kUnavailable,  // the service gave no answer, or is left alone for a while
    kBusy,         // too many wait for one
  };

  Kind kind = Kind::kUnavailable;
  int status = 403;                 // kRefused: 401 or 403
  std::optional<std::string> user;  // whose client it is
  std::optional<auth::Claims> claims;
  int64_t expires_ms = kNever;               // Unix
  std::string reason;                        // for the log
  std::chrono::milliseconds retry_after{0};  // kUnavailable, kBusy; 0: not known
};
using AuthVerdictRef = std::shared_ptr<const AuthVerdict>;

// One who waits for a verdict on a worker's thread. Its last reference may end on any thread.
class AuthWait {
 public:
  using Done = std::function<void(const AuthVerdict&)>;

  explicit AuthWait(Done done) : done_(std::move(done)) {}

  // Worker's thread: nobody waits any more.
  void Cancel() { Leave(nullptr); }
  // Worker's thread: nobody waits any more, but a refusal is to be known of.
  void Leave(Done refused) {
    done_ = std::move(refused);
    gone_.store(true, std::memory_order_relaxed);
  }
  // Worker's thread: what it is told, once, if it still waits; of one that has left refusals alone.
  void Tell(const AuthVerdict& verdict) {
    const Done done = std::exchange(done_, nullptr);
    if (done != nullptr && Tells(verdict)) done(verdict);
  }
  // Any thread: need not be asked for.
  bool gone() const { return gone_.load(std::memory_order_relaxed); }
  // Any thread: whether there may be something to tell.
  bool Tells(const AuthVerdict& verdict) const {
    return !gone() || verdict.kind == AuthVerdict::Kind::kRefused;
  }

 private:
  Done done_;
  std::atomic<bool> gone_{false};
};
using AuthWaitRef = std::shared_ptr<AuthWait>;

// A place in somebody who waits: its end is the end of the wait. Worker's thread.
class AuthTicket {
 public:
  AuthTicket() = default;
  explicit AuthTicket(AuthWaitRef wait) : wait_(std::move(wait)) {}
  AuthTicket(AuthTicket&&) noexcept = default;
  AuthTicket& operator=(AuthTicket&& other) noexcept {
    std::swap(wait_, other.wait_);
    return *this;
  }
  ~AuthTicket() {
    if (wait_ != nullptr) wait_->Cancel();
  }
  // Ends the wait, but for a refusal.
  void Leave(AuthWait::Done refused) { std::exchange(wait_, nullptr)->Leave(std::move(refused)); }
  // Whether somebody waits, or has waited.
  explicit operator bool() const { return wait_ != nullptr; }

 private:
  AuthWaitRef wait_;
};

// Asks somebody outside whether a client may connect. Any worker's thread; does not block. Owned by
// the composition root; outlives the workers' threads.
class AuthService {
 public:
  virtual ~AuthService() = default;
  // What is known already; `wait` is not told then. Null: it is told in a later turn of `worker`,
  // or never when the node ends.
  virtual AuthVerdictRef Ask(AuthQuestion question, size_t worker, AuthWaitRef wait) = 0;
};

}  // namespace spillway::edge
