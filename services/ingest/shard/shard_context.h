#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "services/ingest/link/shard_core.h"

namespace spillway::ingest {

struct CompiledRoute;

// A partition with the route that its records take.
struct ShardSlot {
  SlotInfo info;
  std::shared_ptr<const CompiledRoute> route;
};

// Where a shard sends what it cannot answer itself: offsets and times are looked up elsewhere
// (blocking calls to Kafka), rejected records are copied aside. Implemented by the app; any thread.
class ShardServices {
 public:
  virtual ~ShardServices() = default;
  // Answer by Shard::Post.
  virtual void Resolve(size_t shard, SlotId slot, const std::string& topic, int32_t partition) = 0;
  // The first offset at or after a time, no earlier than `from`: answered by Shard::BeginScan(slot,
  // scan, ..).
  virtual void ResolveTime(size_t shard, SlotId slot, const std::string& topic, int32_t partition,
                           int64_t unix_ms, int64_t from, uint64_t scan) = 0;
  // Everything before `next_offset` was read: for tools that watch a group's lag. About once a
  // second.
  virtual void Processed(const std::string& topic, int32_t partition, int64_t next_offset) = 0;
};

}  // namespace spillway::ingest
