#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "spillway/v1/link.pb.h"

namespace spillway::ingest {

// What waits to be written on one link, in the order in which it will be: the greeting before all
// else, then queued data in order, a beat ahead of it, batches and ephemeral events only within
// credit. Bounded: each shard has at most one batch here; one beat, one catalogue and one
// membership wait at most, the newest; answers, control entries and ephemeral events have byte
// bounds. Not thread-safe: the session's lock guards it.
class LinkOutbox {
 public:
  struct Limits {
    size_t message_bytes = 3 << 20;    // a larger batch goes in parts
    size_t part_bytes = 1 << 20;       // of this size; ephemeral events are gathered up to it
    size_t ephemeral_bytes = 8 << 20;  // ephemeral events that wait; more are dropped
    size_t answer_bytes = 8 << 20;     // answers that wait; more end the link
    size_t control_bytes = 256 << 20;  // control entries that wait; more end the link
    // Data that comes again within this time of the last that left waits for its end, and leaves
    // together: each message costs the edge several wake-ups, however little is in it. 0: never.
    std::chrono::microseconds interval{0};
  };
  // What is told whole, in versions that replace each other.
  enum class Whole { kCatalogue, kMembership };

  struct Out {
    enum class Kind { kHello, kBeat, kAnswer, kControl, kWhole, kBatch, kEphemeral };
    grpc::ByteBuffer buffer = {};
    int64_t cost = 0;  // credit it takes
    Kind kind = Kind::kAnswer;
    Whole whole = Whole::kCatalogue;
    bool last_piece = false;  // kBatch: the shard may send its next one
    size_t shard = 0;         // kBatch
    bool data() const { return kind == Kind::kBatch || kind == Kind::kEphemeral; }
    // kEphemeral, while it waits: elements of EphemeralBatch.events, and the numbers of the first
    // and of the one that would be next. Without events it stands for those that were dropped.
    std::string events = {};
    uint64_t first = 0;
    uint64_t next = 0;
  };

  explicit LinkOutbox(Limits limits) : limits_(limits) {}

  // Opens it: what is added earlier is dropped, but for credit.
  void Greet(const v1::LinkResponse& hello);
  bool greeted() const { return greeted_; }

  // False if answers pass their bound.
  bool AddAnswer(const v1::LinkResponse& answer);
  // The same for control entries, which have a bound of their own: all of them come when a link
  // begins.
  bool AddControl(const v1::LinkResponse& control);
  // Replaces what waits of an older version, at the end of the queue; an older one than was added
  // last is dropped, so that whoever tells it need not hold a lock meanwhile.
  void AddWhole(Whole what, uint64_t version, const v1::LinkResponse& response);
  void AddBatch(size_t shard, std::string batch);
  void SetBeat(const v1::LinkResponse& beat);
  // A serialised Event. Those that wait one behind the other leave as one message. Numbered before
  // it may be dropped at the bound (false): the edge is told in its place that some are missing,
  // however few come after them.
  bool AddEphemeral(std::string_view event);

  // Whatever an edge says: nothing is taken away, and more than it could ever use is not kept.
  void AddCredit(int64_t bytes) {
    constexpr int64_t kMost = int64_t{1} << 50;
    credit_ = std::min(kMost, credit_ + std::clamp<int64_t>(bytes, 0, kMost));
  }
  // The next message that may be written now.
  std::optional<Out> Next(MonoTime now);
  // If only Limits.interval held back what waits, at the last Next: when to ask again.
  std::optional<MonoTime> held_until() const { return held_until_; }
  void Clear();

  size_t queued_bytes() const { return queued_bytes_; }
  uint64_t ephemeral_dropped() const { return ephemeral_dropped_; }

 private:
  void Push(Out out);
  // Gives a message of gathered events its final form.
  static void Finish(Out& out);
  // Whether data may leave now, as far as Limits.interval counts.
  bool Turn(MonoTime now);
  // Where events were dropped, and no other one was queued since: `next` is the one that would be.
  void MarkDropped(uint64_t next);

  const Limits limits_;
  bool greeted_ = false;
  std::optional<grpc::ByteBuffer> hello_;
  std::deque<Out> queue_;
  std::optional<grpc::ByteBuffer> beat_;
  int64_t credit_ = 0;
  size_t queued_bytes_ = 0;
  size_t answer_bytes_ = 0;
  size_t control_bytes_ = 0;
  size_t ephemeral_bytes_ = 0;
  uint64_t told_[2] = {0, 0};  // newest version of each Whole
  size_t data_queued_ = 0;     // messages with `data`
  size_t turn_ = 0;            // data messages, from the front, that may leave in this turn
  std::optional<MonoTime> last_turn_;
  std::optional<MonoTime> held_until_;
  uint64_t next_ephemeral_ = 1;
  uint64_t ephemeral_dropped_ = 0;
};

}  // namespace spillway::ingest
