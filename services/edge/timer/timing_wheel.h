#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "common/base/clock.h"

namespace spillway::edge {

class TimingWheel;

// One timeout. A member of the object it is for: setting it allocates nothing, destroying it
// cancels it. Belongs to its wheel's thread.
class Timer {
 public:
  using Callback = void (*)(void* context);

  Timer(Callback callback, void* context) : callback_(callback), context_(context) {}
  // For a member function: Timer timer_ = Timer::Of<&Thing::OnTimeout>(this);
  template <auto kMethod, typename T>
  static Timer Of(T* object) {
    return Timer([](void* context) { (static_cast<T*>(context)->*kMethod)(); }, object);
  }
  ~Timer() { Cancel(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  bool pending() const { return link_ != nullptr; }
  void Cancel();

 private:
  friend class TimingWheel;

  Timer** link_ = nullptr;  // the pointer that points here; null: not set
  Timer* next_ = nullptr;
  TimingWheel* wheel_ = nullptr;
  uint64_t due_tick_ = 0;
  Callback callback_;
  void* context_;
};

// All timeouts of a worker: setting, moving and cancelling one are a few pointer writes, whatever
// their number. A timeout never fires early, and one tick late at most. A hashed wheel of one
// level: a timeout longer than a revolution (kSlots ticks) is looked at once in each. Belongs to
// one thread; owned by its worker. Timers left at its end never fire.
class TimingWheel {
 public:
  static constexpr size_t kSlots = 512;

  TimingWheel(Clock& clock, std::chrono::milliseconds tick);
  ~TimingWheel();
  TimingWheel(const TimingWheel&) = delete;
  TimingWheel& operator=(const TimingWheel&) = delete;

  // Fires once, after `delay`. A pending timer is moved.
  void Set(Timer& timer, std::chrono::milliseconds delay);
  // Fires everything due; to be called once a tick while size() > 0. Callbacks may set and cancel
  // any timer, their own included, and destroy its owner.
  void Advance();

  // The clock that it goes by.
  Clock& clock() const { return clock_; }
  size_t size() const { return size_; }
  std::chrono::milliseconds tick() const { return tick_; }

 private:
  friend class Timer;

  void Link(Timer& timer, Timer** head);
  void Unlink(Timer& timer);
  void RunSlot(Timer** slot);

  Clock& clock_;
  const std::chrono::milliseconds tick_;
  const MonoTime start_;
  uint64_t current_tick_ = 0;
  size_t size_ = 0;
  std::array<Timer*, kSlots> slots_{};
  // Timers of the slot being run that were not looked at yet: a callback may cancel any of them.
  Timer* running_ = nullptr;
};

}  // namespace spillway::edge
