// IngestApp: what is asked of Kafka for shards and catalogue, by the prober.

#include <algorithm>
#include <utility>

#include "services/ingest/app/ingest_app.h"

namespace spillway::ingest {
namespace {

// Why a partition could not be taken up, as docs/errors.md names it.
std::string_view ReasonOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kPermissionDenied:
      return PartitionErrorName(PartitionError::kDenied);
    case absl::StatusCode::kNotFound:
      return PartitionErrorName(PartitionError::kUnknownTopic);
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return "leader_unreachable";
    default:
      return PartitionErrorName(PartitionError::kOther);
  }
}

}  // namespace

void IngestApp::FindAge(const CatalogueKeeper::Undecided& slot) {
  const auto decide = [this, id = slot.slot](absl::StatusOr<bool> young) {
    if (!young.ok()) {
      catalogue_->NotDecided(id, clock_.Now());
      return;
    }
    CatalogueKeeper::Change change = catalogue_->Decide(id, *young);
    if (change.changed) hub_->SetCatalogue(std::move(change.catalogue));
  };
  prober_->Resolve(
      slot.topic, slot.partition, [this, slot, decide](absl::StatusOr<PartitionBounds> bounds) {
        // What the embedded broker holds came while it ran, and it knows no times.
        if (!bounds.ok() || bounds->begin != 0 || kafka_.embedded_broker) {
          decide(bounds.ok() ? absl::StatusOr<bool>(bounds->begin == 0) : bounds.status());
          return;
        }
        prober_->ResolveTime(
            slot.topic, slot.partition, slot.unix_ms, [decide](absl::StatusOr<int64_t> first) {
              decide(first.ok() ? absl::StatusOr<bool>(*first == 0) : first.status());
            });
      });
}

void IngestApp::Resolve(size_t shard, SlotId slot, const std::string& topic, int32_t partition) {
  Shard* const asking = shards_[shard].get();
  prober_->Resolve(topic, partition, [asking, slot](absl::StatusOr<PartitionBounds> bounds) {
    asking->Post([slot, bounds = std::move(bounds)](ShardCore& core, MonoTime now) {
      if (bounds.ok()) {
        core.OnResolved(slot, bounds->begin, bounds->end, now);
      } else {
        core.OnResolveFailed(slot, ReasonOf(bounds.status()), now);
      }
    });
  });
}

void IngestApp::ResolveTime(size_t shard, SlotId slot, const std::string& topic, int32_t partition,
                            int64_t unix_ms, int64_t from, uint64_t scan) {
  Shard* const asking = shards_[shard].get();
  if (kafka_.embedded_broker) {  // it knows no times: from the beginning, which is never far
    asking->Post([=](ShardCore&, MonoTime) { asking->BeginScan(slot, scan, from); });
    return;
  }
  prober_->ResolveTime(
      topic, partition, unix_ms, [asking, slot, scan, from](absl::StatusOr<int64_t> offset) {
        asking->Post([=, offset = std::move(offset)](ShardCore& core, MonoTime now) {
          if (offset.ok()) {
            asking->BeginScan(slot, scan, std::max(from, *offset));
          } else {
            core.OnScanError(slot, std::string(offset.status().message()), now);
          }
        });
      });
}

}  // namespace spillway::ingest
