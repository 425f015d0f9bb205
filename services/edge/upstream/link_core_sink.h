#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "services/edge/hub/edge_batch.h"
#include "services/edge/hub/slot_table.h"
#include "services/edge/upstream/cluster_listener.h"
#include "spillway/v1/link.pb.h"
#include "spillway/v1/read.pb.h"

namespace spillway::edge {

// A connection attempt to one ingest address, and the link it leads to: numbered by the runtime,
// never twice.
using LinkId = uint64_t;

// In place of a worker's index: reads for operators, which are the runtime's own.
inline constexpr size_t kOperators = SIZE_MAX;

// Why an edge ends a link.
enum class LinkEnd { kDuplicate, kProtocol, kMalformed, kTooLarge, kSilent };

// Stable: docs/errors.md.
constexpr std::string_view CodeOf(LinkEnd why) {
  switch (why) {
    case LinkEnd::kDuplicate:
      return "link_duplicate";
    case LinkEnd::kProtocol:
      return "link_protocol";
    case LinkEnd::kMalformed:
      return "link_malformed";
    case LinkEnd::kTooLarge:
      return "link_too_large";
    case LinkEnd::kSilent:
      return "link_silent";
  }
  return "link_lost";
}

// From where on the edge has a channel in one slot.
struct ChannelCoverage {
  std::string channel;
  SlotNumber slot;
  int64_t after;
  uint64_t interest;  // of which interest of the worker, by its number
};

// Where LinkCore's decisions go. Called on the link thread; must not block.
class LinkCoreSink {
 public:
  virtual ~LinkCoreSink() = default;

  // To an ingest, in order.
  virtual void Send(LinkId link, v1::LinkRequest request) = 0;
  // Ends a link; LinkCore::OnLinkDown must not follow (it has already been dealt with).
  virtual void CloseLink(LinkId link, LinkEnd why) = 0;
  virtual void StartRead(LinkId link, uint64_t call, v1::SnapshotRequest request) = 0;
  virtual void StartRead(LinkId link, uint64_t call, v1::HistoryRequest request) = 0;

  // To the workers' mailboxes, in order. When every worker is done with a batch, the runtime calls
  // LinkCore::OnBatchReleased(link, bytes): that is what credit follows.
  virtual void PostBatch(std::shared_ptr<const EdgeBatch> batch, LinkId link, size_t bytes) = 0;
  virtual void PostSlots(std::shared_ptr<const SlotTable> slots) = 0;
  virtual void PostGap(SlotNumber slot, int64_t from, int64_t to, std::string reason) = 0;
  virtual void PostEphemeral(std::vector<Ref<EdgeEvent>> events, LinkId link, size_t bytes) = 0;
  // Some that never were in Kafka may have been lost.
  virtual void PostEphemeralGap() = 0;
  // To one worker's mailbox.
  virtual void PostInterest(size_t worker, std::vector<ChannelCoverage> covered) = 0;
  virtual void PostRead(size_t worker, uint64_t read_id,
                        std::shared_ptr<const EdgeReadResult> result) = 0;

  // Who listens to what ingests tell of the cluster; null: nobody.
  virtual ClusterListener* cluster() { return nullptr; }

  // For the log and the metrics: something worth telling happened (stable code, details).
  virtual void Report(std::string_view code, std::string details) = 0;
};

}  // namespace spillway::edge
