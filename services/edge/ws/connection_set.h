#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "services/edge/frame/deflate.h"
#include "services/edge/timer/timing_wheel.h"
#include "services/edge/ws/connection.h"
#include "services/edge/ws/counters.h"
#include "services/edge/ws/event_loop.h"
#include "services/edge/ws/send_scratch.h"

namespace spillway::edge::ws {

// All connections of one worker, and what they share: the scratch of this turn's frames, the list
// of those to flush, the inflater.
//
// A turn is what the worker does between two waits: socket events, a burst of posted tasks, or
// timers. The worker brackets it with BeginTurn() and EndTurn(); what is queued outside of one asks
// the loop for one. Belongs to its worker's thread; owned by the worker.
class ConnectionSet {
 public:
  ConnectionSet(EventLoop& loop, TimingWheel& wheel, WorkerCounters& counters,
                const ConnectionOptions& options);
  ~ConnectionSet();
  ConnectionSet(const ConnectionSet&) = delete;
  ConnectionSet& operator=(const ConnectionSet&) = delete;

  // Takes a connection over after its handshake, calls OnOpen, and reads `leftover`, what had come
  // after the handshake (unmasked in place). `answer`: to the handshake, to be sent with the first
  // frames; empty: it was sent. Within a turn.
  void Add(std::unique_ptr<ByteStream> stream, std::unique_ptr<TransportHandler> handler,
           const std::optional<DeflateAgreement>& deflate, char* leftover, size_t leftover_size,
           std::string_view answer = {});

  size_t size() const { return connections_.size(); }
  template <typename Fn>
  void ForEach(Fn&& fn) const {  // fn(Connection&), which may close it
    for (const auto& connection : connections_) fn(*connection);
  }
  void CloseAll(const CloseCode& code, std::string_view reason);
  // CloseAll(), and the same for every connection still to come.
  void ShutDown(const CloseCode& code, std::string_view reason);
  void AbortAll(const CloseCode& code);

  // Tells handlers that they may go on (OnWritable) whose backlog fell in the turn before.
  void BeginTurn();
  // Flushes, tells handlers of ends, destroys what ended.
  void EndTurn();
  bool in_turn() const { return in_turn_; }

  // Keeps a frame that was made for one connection alive until the turn's end.
  void Keep(Ref<Frame> frame) { scratch_.Keep(std::move(frame)); }

 private:
  friend class Connection;

  void MarkDirty(Connection& connection);
  void MarkAttention(Connection& connection);
  void MarkWritable(Connection& connection);
  void NeedTurn();
  void FlushAll();
  void SettleAll();

  EventLoop& loop_;
  TimingWheel& wheel_;
  WorkerCounters& counters_;
  const ConnectionOptions options_;
  Inflater inflater_;
  SendScratch scratch_;
  BacklogPool backlog_pool_;
  bool in_turn_ = false;
  std::optional<CloseCode> shut_down_;
  std::string shut_down_reason_;
  std::vector<Connection*> dirty_;
  std::vector<Connection*> attention_;
  std::vector<Connection*> settling_;
  std::vector<Connection*> writable_;
  std::vector<Connection*> telling_;
  absl::flat_hash_set<std::unique_ptr<Connection>> connections_;
};

}  // namespace spillway::edge::ws
