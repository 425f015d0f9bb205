#include "services/ingest/kafka/probe_schedule.h"

#include <algorithm>

namespace spillway::ingest {

ProbeSchedule::Action ProbeSchedule::Due(MonoTime now) const {
  if (now >= refresh_at_) return Action::kRefresh;
  if (now >= liveness_at_) return Action::kLiveness;
  return Action::kNone;
}

MonoTime ProbeSchedule::NextDeadline() const { return std::min(refresh_at_, liveness_at_); }

void ProbeSchedule::OnRefreshed(MonoTime now, int brokers, bool complete) {
  brokers_ = std::max(brokers, 1);
  up_ = true;
  refresh_at_ = now + (complete ? options_.refresh : options_.fast_refresh);
  OnAlive(now);
}

void ProbeSchedule::OnAlive(MonoTime now) {
  failures_ = 0;
  liveness_at_ = now + options_.liveness;
}

void ProbeSchedule::OnFailure(MonoTime now) {
  ++failures_;
  if (up_ && brokers_ > 1 && failures_ < 2) {
    liveness_at_ = now;
    refresh_at_ = std::max(refresh_at_, now + options_.fast_refresh);
    return;
  }
  up_ = false;
  // Coming back is found by a listing: topics may have changed meanwhile.
  liveness_at_ = MonoTime::max();
  refresh_at_ = now + options_.fast_refresh;
}

}  // namespace spillway::ingest
