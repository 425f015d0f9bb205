#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/edge/dialect/event_encoder.h"
#include "services/edge/hub/edge_batch.h"

namespace spillway::edge {

// What the hub shards ask of the link thread. Implemented by upstream/; callable from any worker;
// answers come back through the worker's mailbox, in order with batches.
class Upstream {
 public:
  virtual ~Upstream() = default;

  // The worker has its first subscriber of the channel: HubShard::OnInterest follows for every slot
  // that can feed it, as soon as it is known where the channel's coverage begins.
  // `interest` is a number of the worker's, never used twice, that those calls carry.
  virtual void AddInterest(size_t worker, std::string channel, uint64_t interest) = 0;
  // The worker has no subscriber of it any more.
  virtual void RemoveInterest(size_t worker, std::string channel) = 0;

  // Reads a snapshot (or the history after `from`) of a channel from whoever serves these slots;
  // one or several HubShard::OnRead follow, which together cover every slot once. For a snapshot
  // the offsets are `not_before`, for history `after`.
  virtual void Read(size_t worker, uint64_t read_id, std::string channel, bool history,
                    std::vector<std::pair<SlotNumber, int64_t>> from) = 0;
  // Asks whoever serves these slots about positions in them; answered like Read.
  virtual void Judge(size_t worker, uint64_t read_id, std::vector<SlotClaim> claims) = 0;
};

}  // namespace spillway::edge
