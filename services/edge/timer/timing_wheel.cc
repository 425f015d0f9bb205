#include "services/edge/timer/timing_wheel.h"

#include <algorithm>
#include <cassert>

namespace spillway::edge {

void Timer::Cancel() {
  if (link_ != nullptr) wheel_->Unlink(*this);
}

TimingWheel::TimingWheel(Clock& clock, std::chrono::milliseconds tick)
    : clock_(clock), tick_(tick), start_(clock.Now()) {}

TimingWheel::~TimingWheel() {
  for (Timer*& slot : slots_) {
    while (slot != nullptr) Unlink(*slot);
  }
}

void TimingWheel::Set(Timer& timer, std::chrono::milliseconds delay) {
  timer.Cancel();
  const auto elapsed = clock_.Now() - start_;
  // Nobody advances an empty wheel: catch up before the first timer is put in.
  if (size_ == 0) current_tick_ = std::max(current_tick_, uint64_t(elapsed / tick_));
  const auto due = elapsed + delay + tick_ - MonoTime::duration(1);  // rounded up
  timer.wheel_ = this;
  timer.due_tick_ = std::max(current_tick_ + 1, uint64_t(due / tick_));
  Link(timer, &slots_[timer.due_tick_ % kSlots]);
}

void TimingWheel::Advance() {
  const auto target = uint64_t((clock_.Now() - start_) / tick_);
  // After a long stall every slot is run once, not once for every revolution missed.
  if (target > current_tick_ + kSlots) current_tick_ = target - kSlots;
  while (current_tick_ < target && size_ > 0) {
    ++current_tick_;
    RunSlot(&slots_[current_tick_ % kSlots]);
  }
}

void TimingWheel::RunSlot(Timer** slot) {
  running_ = *slot;
  *slot = nullptr;
  if (running_ != nullptr) running_->link_ = &running_;
  while (running_ != nullptr) {
    Timer& timer = *running_;
    Unlink(timer);
    if (timer.due_tick_ <= current_tick_) {
      timer.callback_(timer.context_);  // may destroy the timer
    } else {
      Link(timer, slot);
    }
  }
}

void TimingWheel::Link(Timer& timer, Timer** head) {
  timer.next_ = *head;
  if (timer.next_ != nullptr) timer.next_->link_ = &timer.next_;
  *head = &timer;
  timer.link_ = head;
  ++size_;
}

void TimingWheel::Unlink(Timer& timer) {
  assert(timer.pending());
  *timer.link_ = timer.next_;
  if (timer.next_ != nullptr) timer.next_->link_ = timer.link_;
  timer.link_ = nullptr;
  timer.next_ = nullptr;
  --size_;
}

}  // namespace spillway::edge
