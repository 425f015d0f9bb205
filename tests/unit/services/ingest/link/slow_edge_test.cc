// ShardCore: an edge that takes little is read again what the log moved past; one that takes
// nothing is cut and comes back after what it has. Whoever else is served, and the readers, do not
// notice.

#include <gmock/gmock.h>

#include <limits>
#include <string>
#include <vector>

#include "tests/unit/services/ingest/link/link_fakes.h"

namespace spillway::ingest {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class SlowEdge : public ShardTest {
 protected:
  static constexpr LinkId kSlow = 1;
  static constexpr LinkId kFast = 2;
  static constexpr LinkId kBack = 3;

  void SetUp() override {
    Build(SmallLog(4));
    Open(kSlow);
    Open(kFast);
    AttachEnd(kSlow, 11);
    AttachEnd(kFast, 22);
    core_->OnResolved(1, 0, 100, now_);
    source_.Take();
    sink_.Take(kSlow);
    sink_.Take(kFast);
  }

  // Offsets in what a link was sent, in order.
  std::vector<int64_t> Offsets(LinkId link) {
    std::vector<int64_t> offsets;
    for (const std::string& batch : sink_.Take(link)) {
      for (size_t at = batch.find("1:"); at != std::string::npos; at = batch.find("1:", at + 1)) {
        if (at == 0 || batch[at - 1] == ' ') offsets.push_back(std::stoll(batch.substr(at + 2)));
      }
    }
    return offsets;
  }
  static std::vector<int64_t> From(int64_t first, int64_t last) {
    std::vector<int64_t> offsets;
    for (int64_t offset = first; offset <= last; ++offset) offsets.push_back(offset);
    return offsets;
  }
  // Records one by one, each taken at once by the fast link and never by the slow one.
  void Flow(int64_t first, int64_t last) {
    for (int64_t offset = first; offset <= last; ++offset) {
      Live(offset);
      core_->Pump(now_);
      core_->OnBatchTaken(kFast);
    }
  }
};

// It joined a scan that began further back for another, who has gone since.
TEST_F(ShardTest, AScanDoesNotWaitForThoseItHasNotComeTo) {
  ShardCore::Options options;
  options.scan_window_bytes = 2 * EventRecord(10, "c", "{}", 1).cost();
  Build(options);
  TakeUpAtEnd(0, 100);
  Open(2);
  AttachAfter(2, 22, 9);
  core_->OnResolved(1, 0, 100, now_);
  Open(3);
  AttachAfter(3, 33, 50);
  core_->OnResolved(1, 0, 100, now_);
  core_->CloseLink(2, now_);
  for (int64_t offset : {10, 11, 12}) Scanned(offset);
  EXPECT_FALSE(core_->scan_room());
  Pump(3);
  EXPECT_TRUE(core_->scan_room());
  Scanned(51);
  EXPECT_THAT(Pump(3), ElementsAre("1:51 1#33<=51"));
}

TEST_F(SlowEdge, IsNotWaitedFor) {
  Flow(100, 119);
  EXPECT_EQ(Offsets(kFast), From(100, 119)) << "each in its turn, none twice";
  EXPECT_THAT(source_.Take(), IsEmpty()) << "the reader goes on as it was";
  EXPECT_EQ(core_->stalled_readers(), 0u);
  EXPECT_LE(core_->log_bytes(), 4 * EventRecord(100, "c", "{}", 1).cost());
}

TEST_F(SlowEdge, IsReadAgainWhatTheLogMovedPast) {
  Flow(100, 109);
  EXPECT_EQ(Offsets(kSlow), From(100, 100)) << "one batch was under way";
  // It takes that one at last, and what follows it is gone from the log.
  core_->OnBatchTaken(kSlow);
  Flow(110, 110);
  EXPECT_EQ(core_->counters().behind, 1u);
  EXPECT_THAT(source_.Take(), ElementsAre("scan 1 from 101")) << "beside the reader";
  for (int64_t offset = 101; offset <= 110; ++offset) {
    Scanned(offset);
    core_->Pump(now_);
    core_->OnBatchTaken(kSlow);
  }
  Flow(111, 112);
  core_->OnBatchTaken(kSlow);
  core_->Pump(now_);
  EXPECT_EQ(Offsets(kSlow), From(101, 112)) << "nothing lost and nothing twice";
  EXPECT_EQ(Offsets(kFast), From(100, 112)) << "the other one has seen nothing of it";
  EXPECT_THAT(sink_.cut, IsEmpty());
}

TEST_F(SlowEdge, IsCutOnceWhenItHoldsUpAScanAndComesBackAfterWhatItHas) {
  Flow(100, 109);
  const std::vector<int64_t> before = Offsets(kSlow);
  core_->OnBatchTaken(kSlow);
  Flow(110, 110);
  Scanned(101);
  core_->Pump(now_);  // and it takes no more
  for (int second = 0; second < 15; ++second) Pass(std::chrono::seconds(1));
  EXPECT_THAT(sink_.cut, ElementsAre(testing::Key(kSlow)));
  EXPECT_EQ(core_->counters().cuts, 1u);
  core_->CloseLink(kSlow, now_);
  core_->Pump(now_);
  EXPECT_THAT(source_.Take(), ElementsAre("scan 1 from 101", "stop scan 1"));

  Open(kBack);
  AttachAfter(kBack, 33, before.back());
  core_->OnResolved(1, 0, 111, now_);
  EXPECT_THAT(source_.Take(), ElementsAre("resolve 1", "scan 1 from 101"));
  for (int64_t offset = 101; offset <= 110; ++offset) {
    Scanned(offset);
    core_->Pump(now_);
    core_->OnBatchTaken(kBack);
  }
  Flow(111, 112);
  core_->OnBatchTaken(kBack);
  core_->Pump(now_);
  EXPECT_EQ(Offsets(kBack), From(101, 112)) << "nothing lost and nothing twice";
}

TEST_F(SlowEdge, ThatComesBackInTimeIsServedFromTheLog) {
  Flow(100, 102);
  core_->CloseLink(kSlow, now_);
  Open(kBack);
  AttachAfter(kBack, 33, 100);
  core_->Pump(now_);
  EXPECT_EQ(Offsets(kBack), From(101, 102));
  EXPECT_THAT(source_.Take(), IsEmpty()) << "no scan";
}

// Reading so much again that it never ends helps nobody.
class EdgeTooFarBehind : public SlowEdge {
 protected:
  void SetUp() override {
    ShardCore::Options options = SmallLog(4);
    options.history.catch_up_records = 5;
    options.history.log.max_age_us = std::numeric_limits<int64_t>::max() / 2;
    Build(options);
    Open(kSlow);
    Open(kFast);
    AttachEnd(kSlow, 11);
    AttachEnd(kFast, 22);
    core_->OnResolved(1, 0, 100, now_);
    source_.Take();
    sink_.Take(kSlow);
    sink_.Take(kFast);
  }
};

TEST_F(EdgeTooFarBehind, GoesOnWithTheLogAfterAGap) {
  Flow(100, 110);  // the log holds 107 to 110, the slow one has 100
  core_->OnBatchTaken(kSlow);
  core_->Pump(now_);
  EXPECT_THAT(source_.Take(), IsEmpty()) << "nothing is read again";
  core_->Pump(now_);
  EXPECT_THAT(
      sink_.Take(kSlow),
      ElementsAre("1:100 1#11<=100", "attached 1#11 after 106 interest 1 gap 101..106 skipped",
                  "1:107 1:108 1:109 1:110 1#11<=110"));
  EXPECT_EQ(core_->counters().skipped, 1u);
  EXPECT_EQ(core_->counters().gaps, 1u);
}

TEST_F(EdgeTooFarBehind, IsLedUpToTheLogIfItIsNotSoFar) {
  Flow(100, 109);  // the log begins after 105: five are missing
  core_->OnBatchTaken(kSlow);
  core_->Pump(now_);
  EXPECT_THAT(source_.Take(), ElementsAre("scan 1 from 101"));
  EXPECT_EQ(core_->counters().skipped, 0u);
}

TEST_F(EdgeTooFarBehind, GoesOnWithTheLogWhenItIsOutrunWhileAScanReads) {
  Flow(100, 109);
  core_->OnBatchTaken(kSlow);
  core_->Pump(now_);
  Flow(110, 110);
  Pass(std::chrono::seconds(1));
  core_->Pump(now_);
  EXPECT_THAT(sink_.Take(kSlow),
              testing::Contains("attached 1#11 after 106 interest 1 gap 101..106 skipped"));
  EXPECT_THAT(source_.Take(), ElementsAre("scan 1 from 101", "stop scan 1"));
}

TEST_F(EdgeTooFarBehind, GoesOnWithTheLogWhenItComesBack) {
  Flow(100, 110);
  core_->CloseLink(kSlow, now_);
  Open(kBack);
  AttachAfter(kBack, 33, 100);
  core_->OnResolved(1, 0, 111, now_);
  EXPECT_THAT(sink_.Take(kBack),
              testing::Contains("attached 1#33 after 106 interest 1 gap 101..106 skipped"));
  EXPECT_THAT(source_.Take(), ElementsAre("resolve 1"));
}

TEST_F(EdgeTooFarBehind, GoesOnAtTheEndWhereNobodyReads) {
  core_->CloseLink(kSlow, now_);
  core_->CloseLink(kFast, now_);
  Pass(ShardCore::Options().linger + std::chrono::seconds(1));
  source_.Take();
  Open(kBack);
  AttachAfter(kBack, 33, 100);
  core_->OnResolved(1, 0, 200, now_);
  EXPECT_THAT(sink_.Take(kBack),
              testing::Contains("attached 1#33 after 199 interest 1 gap 101..199 skipped"));
  EXPECT_THAT(source_.Take(), ElementsAre("resolve 1", "live 1 from 200"));
}

// The gap of what is gone says so, and what is left is not far.
TEST_F(EdgeTooFarBehind, IsNotWhereKafkaHasLittleMore) {
  core_->CloseLink(kSlow, now_);
  core_->CloseLink(kFast, now_);
  Pass(ShardCore::Options().linger + std::chrono::seconds(1));
  source_.Take();
  Open(kBack);
  AttachAfter(kBack, 33, 100);
  core_->OnResolved(1, 197, 200, now_);
  EXPECT_THAT(sink_.Take(kBack),
              ElementsAre("attached 1#33 after 196 interest 1 gap 101..196 retention"));
  EXPECT_THAT(source_.Take(), ElementsAre("resolve 1", "live 1 from 197"));
}

// What a batch took out of the logs has been sent, whatever another partition of the edge needs.
class SlowEdgeOfSeveralPartitions : public ShardTest {
 protected:
  void SetUp() override {
    ShardCore::Options options = SmallLog(4);
    options.max_batch_bytes = 3 * EventRecord(100, "c", "{}", 1).bytes.size();
    Build(options);
    Open(1);
    for (SlotId slot : {1u, 2u, 3u}) {
      core_->AddSlot({.id = slot, .topic = "t", .partition = static_cast<int32_t>(slot)});
      v1::Attach attach = Request(10 + slot, slot);
      attach.set_end(true);
      core_->OnAttach(1, attach, now_);
      core_->OnResolved(slot, 0, 100, now_);
    }
    source_.Take();
    sink_.Take(1);
  }
  void Flow(SlotId slot, int64_t first, int64_t last) {
    for (int64_t offset = first; offset <= last; ++offset) {
      LogRecord record = EventRecord(offset, "c", "{}", slot);
      record.time_us = wall_us_;
      core_->OnLiveRecord(slot, {.record = std::move(record), .latest = {}}, now_);
    }
  }
};

TEST_F(SlowEdgeOfSeveralPartitions, IsSentTheOthersInTheBatchThatFindsOneBehind) {
  Flow(3, 100, 100);
  core_->Pump(now_);  // one batch is under way
  Flow(1, 100, 101);
  Flow(2, 100, 100);
  Flow(3, 101, 105);
  core_->OnBatchTaken(1);
  Pass(std::chrono::seconds(1));  // the batch that brings everyone's progress meets it first
  EXPECT_THAT(source_.Take(), ElementsAre("scan 3 from 101"));
  core_->OnBatchTaken(1);
  // The next one is full before it comes to the partition that is behind.
  Flow(1, 102, 104);
  core_->Pump(now_);
  core_->OnBatchTaken(1);
  for (int64_t offset = 101; offset <= 105; ++offset) {
    core_->OnScanRecord(3, {.record = EventRecord(offset, "c", "{}", 3), .latest = {}}, now_);
  }
  core_->Pump(now_);
  core_->OnBatchTaken(1);
  EXPECT_THAT(sink_.Take(1),
              ElementsAre("3:100 3#13<=100", "1:100 1:101 2:100 1#11<=101 2#12<=100",
                          "1:102 1:103 1:104 1#11<=104", "3:101 3:102 3:103 3#13<=103"));
  EXPECT_THAT(Pump(), ElementsAre("3:104 3:105 3#13<=105"));
  EXPECT_THAT(sink_.cut, IsEmpty());
}

}  // namespace
}  // namespace spillway::ingest
