#include "services/edge/auth/breaker.h"

#include <algorithm>

namespace spillway::edge {

bool Breaker::Allow(MonoTime now) {
  if (state_ == State::kClosed) return true;
  if (state_ == State::kProbing || now < until_) return false;
  state_ = State::kProbing;
  return true;
}

void Breaker::OnGood() {
  // Whoever began before it opened knows as well as a probe that it is back.
  state_ = State::kClosed;
  failures_ = 0;
}

void Breaker::OnFailure(MonoTime now) {
  if (state_ == State::kOpen) return;  // of those that began before: it is known
  ++failures_;
  if (state_ == State::kClosed && failures_ < options_.failures) return;
  state_ = State::kOpen;
  until_ = now + options_.pause;
}

void Breaker::OnAbandoned() {
  if (state_ != State::kProbing) return;
  state_ = State::kOpen;  // its time is over: the next one probes
}

std::chrono::milliseconds Breaker::Left(MonoTime now) const {
  if (state_ != State::kOpen || now >= until_) return std::chrono::milliseconds(0);
  return std::chrono::ceil<std::chrono::milliseconds>(until_ - now);
}

}  // namespace spillway::edge
