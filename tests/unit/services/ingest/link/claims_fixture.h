#pragma once

#include <string>

#include "tests/unit/services/ingest/link/link_fakes.h"

namespace spillway::ingest {

// Records have their offset + 1 for a fingerprint. The log holds 102 and 103.
class ShardClaims : public ShardTest {
 protected:
  void SetUp() override {
    Build(SmallLog(2));
    TakeUpAtEnd(10, 100);
    for (int64_t offset : {100, 101, 102, 103}) {
      Live(offset);
      Pump();
    }
    core_->OnLiveEnd(1, 106, now_);
    Pump();
    source_.Take();
  }
  void Judge(uint64_t id, int64_t offset, uint32_t fingerprint = 0, int64_t at = -1) {
    v1::Claim claim;
    claim.set_slot(1);
    claim.set_offset(offset);
    claim.set_fingerprint(fingerprint);
    claim.set_fingerprint_at(at);
    core_->Judge(id, {claim}, now_);
  }
  std::string Verdict(uint64_t id) {
    if (!sink_.reads.contains(id)) return "none yet";
    const ReadResult& result = sink_.reads[id];
    if (!result.error.empty()) return "error " + result.error;
    EXPECT_EQ(result.as_of.size(), 1u);
    EXPECT_TRUE(result.events.empty());
    switch (result.verdicts.at(0)) {
      case v1::VERDICT_PROVEN:
        return "proven";
      case v1::VERDICT_FOREIGN:
        return "foreign";
      default:
        return "unproven";
    }
  }
};

}  // namespace spillway::ingest
