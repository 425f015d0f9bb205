#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "tests/unit/services/ingest/link/link_fakes.h"

namespace spillway::ingest {

// A shard whose partition keeps snapshots, and what its reads are answered.
class ReadTest : public ShardTest {
 protected:
  void SetUp() override { Build({}, /*keeps_latest=*/true); }

  // The reader has shown that it flows: now the backfill begins.
  void AtTheEnd(int64_t next_offset) { core_->OnLiveEnd(1, next_offset, now_); }
  void Snapshot(uint64_t id, int64_t not_before) {
    core_->ReadSnapshot(id, "c", {At(1, not_before)}, now_);
  }
  void History(uint64_t id, int64_t after, int64_t not_before) {
    core_->ReadHistory(id, "c", {At(1, after)}, {At(1, not_before)}, now_);
  }
  // An answer as text: its events' offsets, "as of", what it says of itself.
  std::string Answer(uint64_t id) {
    if (!sink_.reads.contains(id)) return "none yet";
    const ReadResult& result = sink_.reads[id];
    if (!result.error.empty()) return "error " + result.error;
    std::vector<std::string> events;  // a table keeps no order
    for (const auto& event : result.events) events.push_back(Text(*event));
    std::sort(events.begin(), events.end());
    std::string text = absl::StrJoin(events, " ");
    for (const v1::SlotOffset& as_of : result.as_of) {
      absl::StrAppend(&text, " as of ", as_of.offset());
    }
    for (const v1::Gap& gap : result.gaps) {
      absl::StrAppend(&text, " gap ", gap.from(), "..", gap.to(), " ", gap.reason());
    }
    absl::StrAppend(&text,
                    result.complete ? " complete" : absl::StrCat(" since ", result.since_us));
    return text;
  }
};

}  // namespace spillway::ingest
