#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "services/ingest/kafka/metadata_prober.h"
#include "services/ingest/normalise/route_table.h"
#include "services/ingest/shard/shard_context.h"
#include "spillway/v1/link.pb.h"

namespace spillway::ingest {

// Turns what Kafka says of its topics into the catalogue that edges attach from: gives every
// (topic, partition) its slot number, once. Pure; the prober's thread only.
class CatalogueKeeper {
 public:
  struct Change {
    bool changed = false;
    std::vector<ShardSlot> added;
    std::vector<SlotId> removed;
    v1::Catalogue catalogue;  // whole
  };

  explicit CatalogueKeeper(std::shared_ptr<const RouteTable> routes) : routes_(std::move(routes)) {}

  // Kafka being down changes nothing: what was there is taken to be there still.
  Change Update(const Metadata& metadata);

 private:
  struct Topic {
    std::shared_ptr<const CompiledRoute> route;
    std::vector<v1::CatalogueSlot> slots;  // index = partition
  };

  const std::shared_ptr<const RouteTable> routes_;
  std::map<std::string, Topic> topics_;
  std::string last_;  // the last catalogue, serialised: to see a change of any kind
  SlotId next_slot_ = 1;
  bool complete_ = false;
};

}  // namespace spillway::ingest
