#include "services/edge/auth/auth_checks.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"

namespace spillway::edge {

using std::chrono::milliseconds;
using Kind = AuthVerdict::Kind;

absl::StatusOr<std::unique_ptr<AuthChecks>> AuthChecks::Create(const Options& options,
                                                               const std::string& key,
                                                               const Clock& clock, Call call,
                                                               Tell tell) {
  auto hmac = auth::Hmac::Create("SHA256", key);
  if (hmac == nullptr) return absl::InternalError("OpenSSL has no HMAC with SHA256");
  return std::unique_ptr<AuthChecks>(
      new AuthChecks(options, std::move(hmac), clock, std::move(call), std::move(tell)));
}

AuthVerdictRef AuthChecks::Unavailable(Kind kind, MonoTime now) const {
  auto verdict = std::make_shared<AuthVerdict>();
  verdict->kind = kind;
  verdict->retry_after = breaker_.Left(now);
  return verdict;
}

void AuthChecks::ForgetGone() {
  for (const auto& [number, check] : checks_) {
    const size_t gone =
        std::erase_if(check->waiters, [](const Waiter& waiter) { return waiter.wait->gone(); });
    status_.waiting -= gone;
  }
}

AuthVerdictRef AuthChecks::Ask(const AuthQuestion& question, size_t worker, AuthWaitRef wait) {
  std::string text = QuestionText(question);
  const std::string hashed = hmac_->Of(text);
  const MonoTime now = clock_.Now();
  Due due;
  {
    MutexLock lock(mutex_);
    AuthVerdictRef known = cache_.Find(hashed, now);
    if (known == nullptr) known = refusals_.Find(hashed, now);
    if (known != nullptr) {
      Count(AuthOutcome::kCached);
      return known;
    }
    if (status_.waiting >= options_.max_waiting) ForgetGone();
    if (status_.waiting >= options_.max_waiting || hashed.empty()) {
      Count(AuthOutcome::kBusy);
      return Unavailable(Kind::kBusy, now);
    }
    if (const auto same = by_question_.find(hashed); same != by_question_.end()) {
      Count(AuthOutcome::kJoined);
      checks_[same->second]->waiters.push_back({worker, std::move(wait)});
      ++status_.waiting;
      return nullptr;
    }
    if (!breaker_.Allow(now)) {
      Count(AuthOutcome::kLeftAlone);
      return Unavailable(Kind::kUnavailable, now);
    }
    const uint64_t number = ++last_number_;
    auto check = std::make_unique<Check>();
    check->question = hashed;
    check->body = WholeQuestion(std::move(text), question.correlation_id);
    check->asked = now;
    check->waiters.push_back({worker, std::move(wait)});
    ++status_.waiting;
    checks_.emplace(number, std::move(check));
    by_question_.emplace(hashed, number);
    queue_.push_back(number);
    Advance(now, &due);
  }
  Do(std::move(due));
  return nullptr;
}

void AuthChecks::OnAnswer(uint64_t number, const absl::StatusOr<AuthAnswer>& answer) {
  const MonoTime now = clock_.Now();
  Due due;
  {
    MutexLock lock(mutex_);
    const auto found = checks_.find(number);
    if (found == checks_.end()) return;
    const Check& check = *found->second;
    latency_.Observe(std::chrono::duration<double>(now - check.asked).count());
    --status_.calls;
    if (answer.ok()) {
      breaker_.OnGood();
      Count(answer->verdict->kind == Kind::kAllowed ? AuthOutcome::kAllowed
                                                    : AuthOutcome::kRefused);
      Keep(check, *answer, now);
      End(number, answer->verdict, &due);
    } else {
      const bool open = breaker_.state() == Breaker::State::kOpen;
      breaker_.OnFailure(now);
      if (!open && breaker_.state() == Breaker::State::kOpen) ++status_.breaker_openings;
      Count(AuthOutcome::kFailed);
      End(number, Unavailable(Kind::kUnavailable, now), &due);
    }
    Advance(now, &due);
  }
  Do(std::move(due));
}

void AuthChecks::Keep(const Check& check, const AuthAnswer& answer, MonoTime now) {
  const AuthVerdict& verdict = *answer.verdict;
  const bool allowed = verdict.kind == Kind::kAllowed;
  milliseconds ttl = allowed ? options_.cache_ttl : options_.refusal_ttl;
  if (answer.keep.has_value()) ttl = std::min(ttl, *answer.keep);
  if (verdict.expires_ms != AuthVerdict::kNever) {
    ttl = std::min(ttl, milliseconds(verdict.expires_ms - ToUnixMillis(clock_.WallNow())));
  }
  if (ttl.count() <= 0) return;
  (allowed ? cache_ : refusals_)
      .Put(check.question, answer.verdict, answer.bytes + check.question.size(), now + ttl);
}

void AuthChecks::End(uint64_t number, const AuthVerdictRef& verdict, Due* due) {
  const auto found = checks_.find(number);
  const std::unique_ptr<Check> check = std::move(found->second);
  checks_.erase(found);
  by_question_.erase(check->question);
  status_.waiting -= check->waiters.size();
  for (Waiter& waiter : check->waiters) due->told.push_back({std::move(waiter), verdict});
}

void AuthChecks::Advance(MonoTime now, Due* due) {
  while (!queue_.empty()) {
    const uint64_t number = queue_.front();
    Check& check = *checks_[number];
    const bool left_alone = breaker_.state() == Breaker::State::kOpen;
    const milliseconds left =
        std::chrono::floor<milliseconds>(check.asked + options_.timeout - now);
    if (std::all_of(check.waiters.begin(), check.waiters.end(),
                    [](const Waiter& waiter) { return waiter.wait->gone(); })) {
      Count(AuthOutcome::kAbandoned);
      breaker_.OnAbandoned();
      End(number, Unavailable(Kind::kUnavailable, now), due);
    } else if (left_alone || left.count() <= 0) {
      Count(AuthOutcome::kLate);
      breaker_.OnAbandoned();
      // Too many wait, where the service is well: nobody lets himself in by bringing many along.
      End(number, Unavailable(left_alone ? Kind::kUnavailable : Kind::kBusy, now), due);
    } else if (status_.calls < options_.max_calls) {
      ++status_.calls;
      check.asked = now;
      due->starts.push_back({number, std::exchange(check.body, {}), options_.timeout});
    } else {
      return;
    }
    queue_.pop_front();
  }
}

void AuthChecks::Do(Due due) {
  for (Due::Start& start : due.starts) call_(start.number, std::move(start.body), start.timeout);
  for (Due::Told& told : due.told) {
    tell_(told.waiter.worker, std::move(told.waiter.wait), std::move(told.verdict));
  }
}

AuthChecks::Status AuthChecks::status() const {
  MutexLock lock(mutex_);
  Status status = status_;
  status.breaker = breaker_.state();
  status.cached = cache_.size() + refusals_.size();
  status.cached_bytes = cache_.bytes() + refusals_.bytes();
  status.evictions = cache_.evictions() + refusals_.evictions();
  return status;
}

}  // namespace spillway::edge
