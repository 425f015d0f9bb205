#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tools/load/client_codec.h"
#include "tools/load/latency_histogram.h"
#include "tools/load/server_message.h"

namespace spillway::load {

// What all clients of a swarm found, together. Plain data.
struct SwarmCounters {
  uint64_t opened = 0;      // TCP connections that were begun
  uint64_t upgraded = 0;    // handshakes answered with 101
  uint64_t refused = 0;     // with anything else
  uint64_t closed = 0;      // connections that ended, or never came about, without our wish
  uint64_t subscribed = 0;  // answers to subscriptions
  uint64_t errors = 0;      // error messages
  uint64_t events = 0;
  uint64_t duplicates = 0;  // an offset that the client had already, or lower, in (channel, slot)
  uint64_t gaps = 0;
  uint64_t bytes = 0;  // read from sockets
  uint64_t reads = 0;  // recv calls that brought something
  int64_t last_event_ns = 0;
  std::string first_problem;
};

// What the events that arrive are to be measured for; shared by the clients of a swarm.
struct Measurement {
  SwarmCounters counters;
  LatencyHistogram latency;               // from due time to receipt
  int64_t count_due_from_ns = INT64_MAX;  // only of events due at or after it
};

// One WebSocket client: its protocol state, without its socket. Belongs to a Swarm; one thread.
class Client {
 public:
  enum class State : uint8_t { kConnecting, kUpgrading, kOpen, kClosed };

  State state = State::kConnecting;
  int fd = -1;
  bool wants_write = false;  // registered for EPOLLOUT
  std::string output;        // not written yet

  // Bytes from the server, received at `now_ns` (steady_clock). Appends answers to `output`.
  // `subscribe`: the message to send once the handshake is over. False: give the connection up.
  bool OnBytes(std::string_view bytes, std::string_view subscribe, int64_t now_ns,
               Measurement* measurement);

 private:
  // The last offset seen of a channel in a slot.
  struct Seen {
    uint64_t channel;
    int64_t slot;
    int64_t offset;
  };

  bool OnHandshake(std::string_view* bytes, std::string_view subscribe, SwarmCounters* counters);
  bool OnMessage(WsOpcode opcode, std::string_view payload, int64_t now_ns,
                 Measurement* measurement);
  void OnEvent(const ServerMessage& message, int64_t now_ns, Measurement* measurement);
  void SendText(std::string_view text);

  std::string handshake_;
  ServerFrames frames_;
  std::vector<Seen> seen_;  // few: searched from the front
  uint32_t mask_ = 0x9E3779B9;
};

}  // namespace spillway::load
