#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "services/edge/dialect/dialect.h"
#include "services/edge/hub/hub_shard.h"
#include "services/edge/session/affinity.h"
#include "services/edge/session/auth_service.h"
#include "services/edge/session/blocks.h"
#include "services/edge/session/labels.h"
#include "services/edge/session/publish_desk.h"
#include "services/edge/session/rate.h"
#include "services/edge/session/session_counters.h"
#include "services/edge/session/session_events.h"
#include "services/edge/session/session_registry.h"
#include "services/edge/timer/timing_wheel.h"

namespace spillway::edge {

struct SessionLimits {
  size_t max_subscriptions = 1000;  // of one connection
  size_t max_patterns = 10;         // of them, to patterns
  // Cursors (snapshots, recovery) pause above these: half of the connection's bounds, as the
  // connection's own low watermark.
  size_t low_backlog_bytes = 512 * 1024;
  size_t low_backlog_messages = 2048;
  // So many bad messages within bad_message_window end the connection (4004). 0: never.
  uint32_t max_bad_messages = 16;
  std::chrono::milliseconds bad_message_window{60'000};
  Rate messages;       // of a client; above: error rate_limited
  Rate node_messages;  // of all of this worker; above: error node_rate_limited
};

// What the sessions of one worker share. Belongs to the worker's thread; owned by the composition
// root, outlives the sessions.
struct SessionContext {
  HubShard& hub;
  Clock& clock;
  TimingWheel& wheel;
  VariantTable& variants;
  SessionRegistry& registry;
  SessionCounters& counters;
  std::string node_id;
  SessionLimits limits;
  // Fills the buffer with bytes that nobody can guess.
  std::function<void(uint8_t* bytes, size_t size)> random;
  // Keeps a frame made for one connection alive until the turn's end (Transport::Send).
  std::function<void(Ref<Frame>)> keep;

  // Scratch, reused from message to message.
  Command command = {};
  ParseFailure failure = {};
  std::vector<Ref<Frame>> frames = {};
  LabelSets labels = {};
  MonoTime node_rate_reached = {};  // the bucket of limits.node_messages is empty until then

  const Blocks* blocks = nullptr;           // null: nobody is kept out
  SessionEvents* events = nullptr;          // null: nobody watches
  const AffinityTable* affinity = nullptr;  // null: clients belong nowhere
  AuthService* auth = nullptr;              // null: nobody is asked about clients
  size_t worker = 0;                        // whose context it is
  PublishDesk* publishes = nullptr;         // null: clients publish nothing
};

}  // namespace spillway::edge
