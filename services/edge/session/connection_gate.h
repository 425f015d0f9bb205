#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace spillway::edge {

// Counts the connections of the process against their bound. Thread-safe. Owned by the composition
// root; outlives all slots.
class ConnectionGate {
 public:
  // One connection's place; gives it back at its end. Movable.
  class Slot {
   public:
    Slot() = default;
    Slot(Slot&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
    Slot& operator=(Slot&& other) noexcept {
      std::swap(gate_, other.gate_);
      return *this;
    }
    ~Slot() {
      if (gate_ != nullptr) gate_->count_.fetch_sub(1, std::memory_order_relaxed);
    }
    explicit operator bool() const { return gate_ != nullptr; }

   private:
    friend class ConnectionGate;
    explicit Slot(ConnectionGate* gate) : gate_(gate) {}
    ConnectionGate* gate_ = nullptr;
  };

  explicit ConnectionGate(int64_t max) : max_(max) {}

  // An empty slot at the bound.
  Slot Enter() {
    if (count_.fetch_add(1, std::memory_order_relaxed) >= max_) {
      count_.fetch_sub(1, std::memory_order_relaxed);
      return Slot();
    }
    return Slot(this);
  }
  // From now on (or no longer) nobody is let in: the node is going away.
  void Shut(bool shut) { shut_.store(shut, std::memory_order_relaxed); }
  bool shut() const { return shut_.load(std::memory_order_relaxed); }
  // From now on (or no longer) nobody is let in yet: who is kept out is not known.
  void Hold(bool hold) { held_.store(hold, std::memory_order_release); }
  bool held() const { return held_.load(std::memory_order_acquire); }
  int64_t count() const { return count_.load(std::memory_order_relaxed); }
  int64_t max() const { return max_; }

 private:
  const int64_t max_;
  std::atomic<int64_t> count_{0};
  std::atomic<bool> shut_{false};
  std::atomic<bool> held_{false};
};

}  // namespace spillway::edge
