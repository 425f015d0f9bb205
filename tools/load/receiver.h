#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tools/load/client_codec.h"
#include "tools/load/dialect.h"
#include "tools/load/inflate_cache.h"
#include "tools/load/journal.h"
#include "tools/load/run_state.h"
#include "tools/load/stamp.h"

namespace spillway::load {

// One client's protocol state; its socket is the worker's business. Small: there are many.
struct ClientState {
  uint64_t number = 0;       // among all clients of the run
  uint32_t index = 0;        // among the worker's
  uint32_t waiting_for = 0;  // answers to subscriptions
  int64_t began_ns = 0;      // when connect() was called
  bool open = false;         // the handshake is over
  bool ready = false;        // subscribed to everything
  bool slow = false;
  bool deflate = false;
  bool from_start = true;  // has been there since before anything was published
};

// What becomes of the bytes that a worker's clients receive: frames, messages, and for events the
// check of their sequence and the latency. Nothing is allocated for an event. One thread.
class Receiver {
 public:
  // All must outlive it. `clients`: how many the worker has. `journal`, which may be null, is kept
  // for clients that resume.
  Receiver(const ClientOptions& options, const Dialect& dialect, RunState& run,
           WorkerState& counters, size_t clients, Journal* journal = nullptr);

  // Makes a client a new connection's. One that was ready and resumes keeps what was checked.
  void Begin(ClientState* client, uint64_t number, uint32_t index, bool from_start);

  // Bytes from the server, received at `now_ns`; says how many of them were used (the rest comes
  // again, with more). Appends what is to be answered to `out`. Negative: give the connection up.
  int64_t Take(ClientState* client, std::string_view bytes, int64_t now_ns, std::string* out);

  // Compares what a client has with what was published, and adds it to the counters.
  void Check(const ClientState& client);

  std::vector<std::string> ChannelsOf(uint64_t number) const;

 private:
  struct Shape {  // of a stream
    uint32_t channels;
    uint32_t per_client;
    size_t offset;  // of its checks among those of a client
    bool published;
    bool spread;  // its channels have no order of their own
  };

  bool TakeAnswer(ClientState* client, std::string_view bytes, int64_t now_ns, size_t* used,
                  std::string* out);
  bool TakeFrame(ClientState* client, const ServerFrame& frame, int64_t now_ns, std::string* out);
  bool TakeControl(const ServerFrame& frame, std::string* out);
  void TakeMessage(ClientState* client, std::string_view text, int64_t now_ns, std::string* out);
  void TakeEvent(const ClientState& client, const Stamp& stamp, std::string_view text,
                 int64_t now_ns);
  void TakeUnstamped(const ClientState& client, std::string_view text);
  void TakePosition(const ClientState& client, Dialect::Kind kind, std::string_view text);
  void TakeOther(ClientState* client, std::string_view text, int64_t now_ns, std::string* out);
  void BecomeReady(ClientState* client, int64_t now_ns);
  void BeginToRecover(const ClientState& client, int64_t now_ns);
  void EndOfRecovery(const ClientState& client, int64_t now_ns);
  // The place of a channel among the client's, or as many as it has.
  size_t PlaceOf(const ClientState& client, std::string_view channel) const;
  void NoteEvent(const ClientState& client, size_t place, const Stamp& stamp,
                 std::string_view text);
  void NotePositions(Journal::Entry entry, std::string_view text);
  void NoteConnection(const ClientState& client);
  Journal::Entry EntryOf(const ClientState& client, size_t place) const;
  void AppendText(std::string_view text, std::string* out);

  const ClientOptions& options_;
  const Dialect& dialect_;
  const std::string_view event_prefix_;
  const bool lines_;
  RunState& run_;
  WorkerState& counters_;
  Journal* const journal_;
  std::vector<Shape> shapes_;
  size_t checks_per_client_ = 0;
  std::vector<SequenceCheck> checks_;  // by client, stream, and place among the client's channels
  std::vector<uint8_t> told_;          // the same order: a gap was told since the last event
  // Of clients that may come back, by index; none where they do not resume.
  struct Return {
    Return(size_t channels, Journal* journal) : positions(channels, journal) {}
    PositionTable positions;
    int64_t connections = 0;
    bool from_start = false;        // of the first connection
    bool ready = false;             // has been subscribed to everything
    bool again = false;             // the connection goes on where another was
    std::vector<uint32_t> targets;  // numbers that were published when it did; 0: has caught up
    size_t behind = 0;              // channels that have not
  };
  std::vector<std::unique_ptr<Return>> returns_;
  std::vector<uint32_t> first_channels_;  // by client and stream
  StampFinder finder_;
  std::unique_ptr<InflateCache> inflate_;

  // Of one call of Take.
  int64_t count_from_ns_ = 0;
  int64_t count_to_ns_ = 0;
  uint64_t events_ = 0;
  uint64_t latency_sum_ns_ = 0;
  uint32_t mask_ = 0x9E3779B9;
};

}  // namespace spillway::load
