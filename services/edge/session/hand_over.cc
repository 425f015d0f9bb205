#include "services/edge/session/hand_over.h"

#include <algorithm>
#include <utility>

#include "services/edge/session/close_codes.h"
#include "services/edge/session/session.h"

namespace spillway::edge {

using std::chrono::milliseconds;

HandOver::HandOver(SessionRegistry& registry, TimingWheel& wheel, const Clock& clock)
    : registry_(registry), wheel_(wheel), clock_(clock) {}

void HandOver::Begin(Plan plan) {
  // Who was told by the plan before is among those who may hear nothing of this one.
  again_ = (again_ && state_ != State::kIdle) || state_ == State::kClosing ||
           state_ == State::kTakingBack;
  begin_ = clock_.Now();
  plan_ = std::move(plan);
  sessions_.clear();
  told_ = next_ = 0;
  for (const Session* session : registry_.All()) {
    if (!session->ending()) sessions_.emplace_back(session->id());
  }
  state_ = State::kClosing;
  Step();
}

void HandOver::Cancel() {
  if (state_ == State::kTakingBack) return;  // it goes on
  if (state_ == State::kClosing && again_) told_ = sessions_.size();
  if (state_ != State::kClosing) {
    sessions_.clear();
    told_ = next_ = 0;
  }
  state_ = State::kTakingBack;
  Step();
}

MonoTime HandOver::DueAt(size_t index) const {
  return begin_ +
         plan_.spread * static_cast<int64_t>(index + 1) / static_cast<int64_t>(sessions_.size());
}

void HandOver::Step() {
  if (state_ == State::kClosing) {
    TellAndClose();
  } else if (state_ == State::kSweeping) {
    Sweep();
  } else if (state_ == State::kTakingBack) {
    TakeBack();
  }
  switch (state_) {
    case State::kIdle:
      step_.Cancel();
      break;
    case State::kSweeping:
      wheel_.Set(step_, kSweep);
      break;
    case State::kClosing:
    case State::kTakingBack:
      wheel_.Set(step_, kStep);
      break;
  }
}

void HandOver::TellAndClose() {
  const MonoTime now = clock_.Now();
  const size_t tell_to = std::min(sessions_.size(), told_ + kToldAtOnce);
  for (; told_ < tell_to; ++told_) {
    Session* session = registry_.Find(sessions_[told_]);
    if (session == nullptr) continue;
    const auto within = std::chrono::duration_cast<milliseconds>(DueAt(told_) - now);
    const std::vector<std::string>& to = plan_.addresses;
    session->TellMoving(std::max(within, milliseconds(0)),
                        to.empty() ? std::string_view() : to[told_ % to.size()]);
  }
  while (next_ < told_ && DueAt(next_) <= now) {
    registry_.CloseId(sessions_[next_++], kCloseGoingAway.code, plan_.reason);
  }
  if (next_ < sessions_.size()) return;
  sessions_.clear();
  told_ = next_ = 0;
  state_ = State::kSweeping;
}

void HandOver::Sweep() {
  size_t closed = 0;
  for (Session* session : registry_.All()) {
    if (session->ending()) continue;
    const std::vector<std::string>& to = plan_.addresses;
    session->TellMoving(milliseconds(0), to.empty() ? std::string_view() : to[closed % to.size()]);
    session->Close(kCloseGoingAway.code, plan_.reason);
    if (++closed == kToldAtOnce) return;
  }
}

void HandOver::TakeBack() {
  for (size_t i = 0; i < kToldAtOnce && next_ < told_; ++i) {
    if (Session* session = registry_.Find(sessions_[next_++])) session->TellStaying();
  }
  if (next_ < told_) return;
  sessions_.clear();
  told_ = next_ = 0;
  state_ = State::kIdle;
}

}  // namespace spillway::edge
