#include "services/edge/control/node_drain.h"

#include <algorithm>

#include "common/log/log.h"

namespace spillway::edge {

using std::chrono::milliseconds;

bool NodeDrain::Drain(Times times) {
  MutexLock lock(mutex_);
  if (stopped_) return false;
  const MonoTime now = clock_.Now();
  if (stage_ == v1::DRAIN_STAGE_DRAINED) return true;
  if (stage_ == v1::DRAIN_STAGE_HANDING_OVER) {
    ends_ = now + times.spread;
    parts_.hand_over(times.spread);
    return true;
  }
  if (stage_ == v1::DRAIN_STAGE_SERVING) {
    log::Info("admin: this node lets its clients go",
              {{"lead_ms", times.lead.count()}, {"spread_ms", times.spread.count()}});
    parts_.tell(true);
  }
  stage_ = v1::DRAIN_STAGE_LEAD;
  lead_ends_ = now + times.lead;
  ends_ = lead_ends_ + times.spread;
  Advance(now);
  return true;
}

bool NodeDrain::Undrain() {
  MutexLock lock(mutex_);
  if (stopped_) return false;
  if (stage_ == v1::DRAIN_STAGE_SERVING) return true;
  log::Info("admin: this node takes clients again");
  stage_ = v1::DRAIN_STAGE_SERVING;
  parts_.take_back();
  parts_.shut(false);
  parts_.tell(false);
  return true;
}

void NodeDrain::Advance(MonoTime now) {
  if (stage_ == v1::DRAIN_STAGE_LEAD && now >= lead_ends_) {
    stage_ = v1::DRAIN_STAGE_HANDING_OVER;
    // First: who comes after the hand-over has begun would not be told in time.
    parts_.shut(true);
    HandOver(now);
  }
}

void NodeDrain::HandOver(MonoTime now) {
  parts_.hand_over(
      std::chrono::duration_cast<milliseconds>(std::max(ends_ - now, MonoTime::duration::zero())));
}

void NodeDrain::Update() {
  MutexLock lock(mutex_);
  if (stopped_) return;
  const MonoTime now = clock_.Now();
  Advance(now);
  if (stage_ != v1::DRAIN_STAGE_HANDING_OVER) return;
  if (parts_.handed_over()) {
    stage_ = v1::DRAIN_STAGE_DRAINED;
    log::Info(
        "all clients have gone; an operator may stop this node, or let it take clients again");
  } else if (parts_.place_gone()) {
    HandOver(now);  // those who are here yet are told another
  }
}

std::optional<milliseconds> NodeDrain::Stop() {
  MutexLock lock(mutex_);
  stopped_ = true;
  if (stage_ == v1::DRAIN_STAGE_SERVING) return std::nullopt;
  const MonoTime now = clock_.Now();
  return std::chrono::duration_cast<milliseconds>(
      std::max(stage_ == v1::DRAIN_STAGE_LEAD ? lead_ends_ - now : MonoTime::duration::zero(),
               MonoTime::duration::zero()));
}

NodeDrain::Status NodeDrain::status() const {
  MutexLock lock(mutex_);
  Status status{.stage = stage_};
  if (stage_ == v1::DRAIN_STAGE_LEAD || stage_ == v1::DRAIN_STAGE_HANDING_OVER) {
    status.left = std::max(std::chrono::ceil<milliseconds>(ends_ - clock_.Now()), milliseconds(0));
  }
  return status;
}

}  // namespace spillway::edge
