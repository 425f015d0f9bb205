#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/load/latency_histogram.h"
#include "tools/load/run_options.h"
#include "tools/load/sequence_check.h"

namespace spillway::load {

inline constexpr size_t kMaxStreams = 16;

// A count with one writer and any readers, also of other processes. Costs its writer what a plain
// integer costs.
class Count {
 public:
  void Add(uint64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void Sub(uint64_t n) { Add(-n); }
  uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// What one worker found. The counts may be read at any time, the rest once `checked` is set.
struct WorkerState {
  std::atomic<int32_t> thread{0};  // kernel's id; 0: has not started
  std::atomic<int32_t> process{0};
  std::atomic<bool> checked{false};  // its clients' last numbers were compared: nothing follows

  Count opened;      // connections that were begun, first ones only
  Count upgraded;    // handshakes answered with 101
  Count refused;     // with anything else
  Count ready;       // clients that are subscribed to all they asked for, at present
  Count subscribed;  // answers to subscriptions
  Count closed;      // connections that ended, or never came about, without our wish
  Count churned;     // that we closed
  Count events;      // of our publishers
  Count strange;     // events that the client is not subscribed to, or of no stream of ours
  Count opaque;      // compressed messages that were not looked into
  Count told_gaps;
  Count resumed;         // connections that went on where a lost one was
  Count recovered;       // of these, have caught up
  Count errors;          // error messages
  Count bytes;           // read from sockets, TLS taken off
  Count reads;           // reads that brought something
  Count latency_sum_ns;  // of counted events
  std::atomic<int64_t> last_event_ns{0};

  // Written by the worker alone until `checked`.
  SequenceCounts sequence;
  uint64_t expected = 0;     // numbers that clients were to get, as far as it is known
  uint64_t tail_lost = 0;    // of these, after the last that came
  uint64_t tail_told = 0;    // likewise, where a gap was told after it
  LatencyHistogram connect;  // from connect() to the last subscription
  std::array<LatencyHistogram, kMaxStreams> latency;  // from due time to receipt, by stream
  LatencyHistogram slow_latency;                      // the same of clients that stopped reading
  LatencyHistogram recovery;  // from connect() of one that goes on to the last event that it missed
  int64_t first_resume_ns = INT64_MAX;  // when the first of these began to connect
  int64_t last_recovery_ns = 0;         // when the last of them had caught up
  std::array<std::pair<uint16_t, uint64_t>, 16> close_codes{};  // of closed, by close frame's code
  std::array<char, 400> first_problem{};

  void Problem(std::string_view what);  // the first one is kept
  void ClosedWith(uint16_t code);
};

// What the workers of a run are told, and say; shared by all threads and processes of it.
class RunState {
 public:
  enum class Phase : int32_t { kRun, kCheck, kStop };

  // Before the first fork. `channels` of the streams decide its size.
  static absl::StatusOr<std::unique_ptr<RunState>> Create(
      size_t workers, const std::vector<StreamOptions>& streams);
  ~RunState();
  RunState(const RunState&) = delete;
  RunState& operator=(const RunState&) = delete;

  WorkerState& worker(size_t index) { return workers_[index]; }
  const WorkerState& worker(size_t index) const { return workers_[index]; }
  size_t workers() const { return worker_count_; }

  std::atomic<Phase>& phase() { return control_->phase; }
  // Events that were due at or after `from` and before `to` count for latency.
  std::atomic<int64_t>& count_from_ns() { return control_->count_from_ns; }
  std::atomic<int64_t>& count_to_ns() { return control_->count_to_ns; }
  // When publishing began and ended; INT64_MAX before.
  std::atomic<int64_t>& published_from_ns() { return control_->published_from_ns; }
  std::atomic<int64_t>& published_to_ns() { return control_->published_to_ns; }

  // The last number published to a channel: written by the publisher alone.
  std::atomic<uint32_t>& last_number(size_t stream, uint32_t channel) {
    return last_numbers_[first_channel_[stream] + channel];
  }

  // Sum over the workers.
  uint64_t Sum(Count WorkerState::*count) const;
  int64_t LastEventNs() const;

 private:
  struct Control {
    std::atomic<Phase> phase{Phase::kRun};
    std::atomic<int64_t> count_from_ns{INT64_MAX};
    std::atomic<int64_t> count_to_ns{INT64_MAX};
    std::atomic<int64_t> published_from_ns{INT64_MAX};
    std::atomic<int64_t> published_to_ns{INT64_MAX};
  };

  RunState() = default;

  void* memory_ = nullptr;
  size_t size_ = 0;
  Control* control_ = nullptr;
  WorkerState* workers_ = nullptr;
  size_t worker_count_ = 0;
  std::atomic<uint32_t>* last_numbers_ = nullptr;
  std::vector<size_t> first_channel_;
};

}  // namespace spillway::load
