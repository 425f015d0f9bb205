#include "services/edge/session/hand_over.h"

#include <algorithm>
#include <utility>

#include "services/edge/session/close_codes.h"
#include "services/edge/session/session.h"

namespace spillway::edge {

using std::chrono::milliseconds;

HandOver::HandOver(SessionRegistry& registry, TimingWheel& wheel, const Clock& clock)
    : registry_(registry), wheel_(wheel), clock_(clock) {}

void HandOver::Begin(milliseconds spread, std::vector<std::string> addresses) {
  begin_ = clock_.Now();
  spread_ = spread;
  addresses_ = std::move(addresses);
  for (const Session* session : registry_.All()) sessions_.emplace_back(session->id());
  begun_ = true;
  Step();
}

MonoTime HandOver::DueAt(size_t index) const {
  return begin_ +
         spread_ * static_cast<int64_t>(index + 1) / static_cast<int64_t>(sessions_.size());
}

void HandOver::Step() {
  const MonoTime now = clock_.Now();
  const size_t tell_to = std::min(sessions_.size(), told_ + kToldAtOnce);
  for (; told_ < tell_to; ++told_) {
    Session* session = registry_.Find(sessions_[told_]);
    if (session == nullptr) continue;
    const auto within = std::chrono::duration_cast<milliseconds>(DueAt(told_) - now);
    session->TellMoving(
        std::max(within, milliseconds(0)),
        addresses_.empty() ? std::string_view() : addresses_[told_ % addresses_.size()]);
  }
  while (next_ < told_ && DueAt(next_) <= now) {
    registry_.CloseId(sessions_[next_++], kCloseGoingAway.code, "server is shutting down");
  }
  if (!done()) wheel_.Set(step_, kStep);
}

}  // namespace spillway::edge
