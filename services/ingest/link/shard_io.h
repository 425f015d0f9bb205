#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "spillway/v1/link.pb.h"
#include "spillway/v1/read.pb.h"

namespace spillway::ingest {

using LinkId = uint64_t;  // a link's number in this process, never used again
using SlotId = uint32_t;  // this ingest's number for (topic, partition, incarnation)

// Where a shard's records come from, as its core sees it: implemented over Kafka by the shard, and
// by a model in tests. Calls return at once; what they lead to comes back as ShardCore::On... calls
// in later turns. Shard's thread only.
class RecordSource {
 public:
  virtual ~RecordSource() = default;

  // Finds the partition's first offset and its last stable end: OnResolved or OnResolveFailed.
  virtual void Resolve(SlotId slot) = 0;
  // The live reader: OnLiveRecord, OnLiveEnd, OnLiveError. At most one for a slot. What comes
  // begins at `from`; whoever needs earlier records to understand those may read from `earliest`
  // on, the first that Kafka is known to have.
  virtual void StartLive(SlotId slot, int64_t from, int64_t earliest) = 0;
  virtual void StopLive(SlotId slot) = 0;
  // The scan beside it, for catching up and backfill: OnScanRecord, OnScanEnd, OnScanError. One for
  // a slot. `from_time_ms` >= 0: begins at the first record of that time (Unix) instead, no earlier
  // than `from`.
  virtual void StartScan(SlotId slot, int64_t from, int64_t from_time_ms, int64_t earliest) = 0;
  virtual void StopScan(SlotId slot) = 0;
};

// The answer to a read of one shard's slots.
struct ReadResult {
  std::string error;  // empty if it could be read; else a stable code: not_served, timeout
  // Elements of Batch.events, which are elements of ReadResponse.events too.
  std::vector<std::shared_ptr<const std::string>> events;
  std::vector<v1::SlotOffset> as_of;
  std::vector<v1::Gap> gaps;
  std::vector<v1::Verdict> verdicts;  // of claims: one for each of as_of
  bool complete = true;
  int64_t since_us = 0;
};

// Where a shard's output goes. Implementations are called on the shard's thread and must not block.
class LinkSink {
 public:
  virtual ~LinkSink() = default;

  // A serialised Batch for the link. `shard` tells the shards apart. The shard sends the link no
  // further one until OnBatchTaken.
  virtual void SendBatch(LinkId link, size_t shard, std::string batch) = 0;
  // Attached, AttachRefused or Prepared, in order with the batches.
  virtual void SendAnswer(LinkId link, v1::LinkResponse answer) = 0;
  // States of the readers that serve the link, for its beats. `shard` tells the shards apart.
  virtual void SetReaderStates(LinkId link, size_t shard, std::vector<v1::ReaderBeat> states) = 0;
  // The edge fell too far behind: end its link. It will attach again after what it has.
  virtual void Cut(LinkId link, std::string_view reason) = 0;
  virtual void ReadDone(uint64_t read_id, size_t shard, ReadResult result) = 0;
};

}  // namespace spillway::ingest
