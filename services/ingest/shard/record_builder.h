#pragma once

#include <cstdint>
#include <vector>

#include "services/ingest/history/log_record.h"
#include "services/ingest/kafka/record_view.h"
#include "services/ingest/normalise/normaliser.h"
#include "services/ingest/shard/shard_context.h"

namespace spillway::ingest {

// Turns a record of Kafka into what logs, latest-tables and links take: its events, serialised once
// for all of them. Allocates nothing for a record once its buffers have grown. One thread's.
class RecordBuilder {
 public:
  // Replaces `out`. `live`: read as it arrived, at `wall_us` (Unix microseconds); else read back
  // later. Where the result says rejected, `out` has the offset and no events.
  NormaliseResult Build(const ShardSlot& slot, const RecordView& record, bool live, int64_t wall_us,
                        NormalisedRecord* out);
  // The same of a record that yields nothing.
  static void BuildEmpty(const RecordView& record, bool live, int64_t wall_us,
                         NormalisedRecord* out);

 private:
  Normaliser normaliser_;
  std::vector<RecordHeader> headers_;
  std::vector<HeaderView> header_views_;
};

}  // namespace spillway::ingest
