#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string_view>

#include "tools/load/latency_histogram.h"

namespace spillway::load {

// One publication, as a sink gets it. Refers to the publisher's memory.
struct Publication {
  size_t stream = 0;
  uint32_t channel = 0;    // its number
  uint32_t partition = 0;  // modulo those of the topic
  std::string_view channel_name;
  std::string_view record_key;
  std::string_view key;  // for conflation; empty: none
  std::string_view payload;
  int64_t due_ns = 0;
  bool more = false;  // another one is due already: need not leave at once
};

// Where a publisher sends. Publish and Flush are called by the publisher's thread, the rest by any.
class Sink {
 public:
  // Confirmations may come on any thread.
  struct Counters {
    std::atomic<uint64_t> sent{0};
    std::atomic<uint64_t> confirmed{0};
    std::atomic<uint64_t> failed{0};
  };

  virtual ~Sink() = default;

  // Copies what it keeps. False: not now, try again.
  virtual bool Publish(const Publication& publication) = 0;
  // Nothing is due at present.
  virtual void Flush() {}
  // Waits until everything sent was confirmed or has failed; what is left then counts as failed.
  // Nothing is published after it.
  virtual void Finish(std::chrono::seconds timeout) = 0;

  const Counters& counters() const { return counters_; }
  // From due time to confirmation, of publications due at or after `ns`; to be read after Finish.
  void CountConfirmationsFrom(int64_t ns) { count_from_ns_.store(ns, std::memory_order_relaxed); }
  const LatencyHistogram& confirmations() const { return confirmations_; }

 protected:
  // On one thread.
  void Confirmed(int64_t due_ns, int64_t now_ns) {
    if (due_ns >= count_from_ns_.load(std::memory_order_relaxed)) {
      confirmations_.Record(now_ns - due_ns);
    }
    counters_.confirmed.fetch_add(1, std::memory_order_release);
  }
  bool all_answered() const {
    return counters_.confirmed.load(std::memory_order_acquire) +
               counters_.failed.load(std::memory_order_acquire) >=
           counters_.sent.load(std::memory_order_acquire);
  }

  Counters counters_;

 private:
  std::atomic<int64_t> count_from_ns_{INT64_MAX};
  LatencyHistogram confirmations_;
};

}  // namespace spillway::load
