#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "common/auth/hmac.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/metrics/metrics.h"
#include "services/edge/auth/answer_cache.h"
#include "services/edge/auth/auth_text.h"
#include "services/edge/auth/breaker.h"
#include "services/edge/session/auth_service.h"

namespace spillway::edge {

// What became of questions: each counts once.
enum class AuthOutcome : uint8_t {
  kAllowed,    // the service's answer, as the next
  kRefused,    //
  kFailed,     // it gave none, or none that is understood
  kCached,     // answered by what it said before
  kJoined,     // somebody else had asked the same, and has yet to be answered
  kLeftAlone,  // it is left alone for a while, having failed
  kBusy,       // too many wait
  kLate,       // it waited for the time of a whole call, or until the service was left alone
  kAbandoned,  // nobody waited any more when its turn came
};
constexpr size_t kAuthOutcomes = 9;
constexpr std::array<const char*, kAuthOutcomes> kAuthOutcomeNames = {
    "allowed", "refused", "failed", "cached", "joined", "left_alone", "busy", "late", "abandoned"};

// Which questions an authentication service is asked, and who is told its answers: those that were
// given lately are given again, the same question is put once at a time, a service that fails is
// left alone, and what is under way and what waits is bounded. Makes no call itself and has no
// thread: what it is given does. Any thread, but for OnAnswer(). Tokens are kept until their call
// ends, and then nowhere: questions are known by a hash with a key that is made anew in each
// process. Owned by whoever makes the calls.
class AuthChecks {
 public:
  struct Options {
    std::chrono::milliseconds timeout{2'000};     // of a call, and of the wait for one
    std::chrono::milliseconds cache_ttl{30'000};  // of an answer that allows; 0: it is not kept
    std::chrono::milliseconds refusal_ttl{5'000};
    AnswerCache::Options cache;
    size_t max_calls = 64;      // under way at once
    size_t max_waiting = 1000;  // who wait for an answer
    Breaker::Options breaker;
  };
  // Makes a call with this body, whose answer is given to OnAnswer() with its number. Called on any
  // worker's thread, or by OnAnswer().
  using Call =
      std::function<void(uint64_t number, std::string body, std::chrono::milliseconds timeout)>;
  // Has somebody told on its worker's thread.
  using Tell = std::function<void(size_t worker, AuthWaitRef wait, AuthVerdictRef verdict)>;

  // As of now.
  struct Status {
    std::array<uint64_t, kAuthOutcomes> outcomes{};
    Breaker::State breaker = Breaker::State::kClosed;
    uint64_t breaker_openings = 0;
    size_t calls = 0;    // under way
    size_t waiting = 0;  // clients
    size_t cached = 0;
    size_t cached_bytes = 0;
    uint64_t evictions = 0;
  };

  // `key`: that nobody can guess. `clock` outlives it. Internal when OpenSSL cannot.
  static absl::StatusOr<std::unique_ptr<AuthChecks>> Create(const Options& options,
                                                            const std::string& key,
                                                            const Clock& clock, Call call,
                                                            Tell tell);

  // See AuthService::Ask().
  AuthVerdictRef Ask(const AuthQuestion& question, size_t worker, AuthWaitRef wait);
  // On one thread. An error: there is no answer that is one.
  void OnAnswer(uint64_t number, const absl::StatusOr<AuthAnswer>& answer);

  Status status() const;
  // How long calls took, in seconds.
  const metrics::Histogram& latency() const { return latency_; }

 private:
  static constexpr size_t kRefusalsPart = 8;

  struct Waiter {
    size_t worker;
    AuthWaitRef wait;
  };
  struct Check {
    std::string question;  // hashed
    std::string body;      // until it is put
    MonoTime asked;        // since when it waits, then since when it is under way
    std::vector<Waiter> waiters;
  };
  // What is to be done once the lock is given back.
  struct Due {
    struct Start {
      uint64_t number;
      std::string body;
      std::chrono::milliseconds timeout;
    };
    struct Told {
      Waiter waiter;
      AuthVerdictRef verdict;
    };
    std::vector<Start> starts;
    std::vector<Told> told;
  };

  AuthChecks(const Options& options, std::unique_ptr<auth::Hmac> hmac, const Clock& clock,
             Call call, Tell tell)
      : options_(options),
        hmac_(std::move(hmac)),
        clock_(clock),
        call_(std::move(call)),
        tell_(std::move(tell)),
        cache_(options.cache),
        refusals_({.entries = (options.cache.entries + kRefusalsPart - 1) / kRefusalsPart,
                   .bytes = options.cache.bytes / kRefusalsPart}),
        breaker_(options.breaker) {}

  void Count(AuthOutcome outcome) SPILLWAY_REQUIRES(mutex_) {
    ++status_.outcomes[static_cast<size_t>(outcome)];
  }
  AuthVerdictRef Unavailable(AuthVerdict::Kind kind, MonoTime now) const SPILLWAY_REQUIRES(mutex_);
  void Keep(const Check& check, const AuthAnswer& answer, MonoTime now) SPILLWAY_REQUIRES(mutex_);
  // Ends a check: all who wait for it are due to be told.
  void End(uint64_t number, const AuthVerdictRef& verdict, Due* due) SPILLWAY_REQUIRES(mutex_);
  // Takes out those who wait no more, so that they keep out nobody.
  void ForgetGone() SPILLWAY_REQUIRES(mutex_);
  // Takes those out of the queue that need not or cannot be asked, and puts others while it may.
  void Advance(MonoTime now, Due* due) SPILLWAY_REQUIRES(mutex_);
  void Do(Due due) SPILLWAY_EXCLUDES(mutex_);

  const Options options_;
  const std::unique_ptr<auth::Hmac> hmac_;
  const Clock& clock_;
  const Call call_;
  const Tell tell_;
  metrics::Histogram latency_{metrics::LatencyBounds()};

  mutable Mutex mutex_;
  AnswerCache cache_ SPILLWAY_GUARDED_BY(mutex_);
  // Apart, with a part of the room: whoever tries many tokens pushes out no answer that allows.
  AnswerCache refusals_ SPILLWAY_GUARDED_BY(mutex_);
  Breaker breaker_ SPILLWAY_GUARDED_BY(mutex_);
  // Under way, or in the queue; by number, and by question.
  absl::flat_hash_map<uint64_t, std::unique_ptr<Check>> checks_ SPILLWAY_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, uint64_t> by_question_ SPILLWAY_GUARDED_BY(mutex_);
  std::deque<uint64_t> queue_ SPILLWAY_GUARDED_BY(mutex_);  // the oldest first
  uint64_t last_number_ SPILLWAY_GUARDED_BY(mutex_) = 0;
  Status status_ SPILLWAY_GUARDED_BY(mutex_);
};

}  // namespace spillway::edge
