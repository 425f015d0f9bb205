#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "services/ingest/link/shard_core.h"

namespace spillway::ingest {

struct CompiledRoute;

// A partition with the route that its records take.
struct ShardSlot {
  SlotInfo info;
  std::shared_ptr<const CompiledRoute> route;
};

// A partition that is read, or should be, and how that goes.
struct ReaderReport {
  ShardCore::ReaderStatus status;
  std::string topic;
  int32_t partition = 0;
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
  // How all readers of the shard stand. About once a second, and at once when one stalls or comes
  // on.
  virtual void Readers(size_t shard, std::vector<ReaderReport> readers) = 0;
};

}  // namespace spillway::ingest
