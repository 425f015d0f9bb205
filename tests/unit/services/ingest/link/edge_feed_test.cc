#include "services/ingest/link/edge_feed.h"

#include <gmock/gmock.h>

#include "tests/unit/services/ingest/link/link_fakes.h"

namespace spillway::ingest {
namespace {

// Logs by slot.
class FakeLogs final : public EdgeFeed::Logs {
 public:
  std::map<SlotId, PartitionLog> logs;

  PartitionLog& Open(SlotId slot, PartitionLog::Bounds bounds = {}) {
    return logs.try_emplace(slot, bounds, -1).first->second;
  }
  const PartitionLog* LogOf(const Attachment& attachment) const override {
    const auto found = logs.find(attachment.slot);
    return found == logs.end() ? nullptr : &found->second;
  }
};

class EdgeFeedTest : public ::testing::Test {
 protected:
  explicit EdgeFeedTest(size_t max_batch_bytes = 1 << 20) : feed_(7, max_batch_bytes) {}

  void Want(std::vector<std::string> channels) {
    feed_.ApplyInterest(FullInterest(1, std::move(channels)));
  }
  // Attached from the beginning, with the attach id slot + 10.
  void Attach(SlotId slot) {
    v1::Attach attach;
    attach.set_slot(slot);
    attach.set_attach_id(slot + 10);
    feed_.Add(attach).state = Attachment::State::kLog;
  }
  void Append(SlotId slot, int64_t offset, std::string_view channel = "c",
              std::string_view payload = "{}") {
    logs_.Open(slot).Append(EventRecord(offset, channel, payload, slot));
  }
  std::string Next(bool all_progress = false) {
    bool behind = false;
    const std::string batch = feed_.BuildBatch(logs_, all_progress, &behind);
    return behind ? "behind" : Text(batch);
  }

  FakeLogs logs_;
  EdgeFeed feed_;
};

TEST_F(EdgeFeedTest, SendsWhatIsWanted) {
  Want({"c"});
  Attach(1);
  Append(1, 0, "c");
  Append(1, 1, "other");
  Append(1, 2, "c");
  Append(1, 3, "other");
  EXPECT_EQ(Next(), "1:0 1:2 1#11<=3");
  EXPECT_EQ(Next(), "");
}

TEST_F(EdgeFeedTest, ARecordWithSeveralEventsIsFilteredByEvent) {
  Want({"c"});
  Attach(1);
  LogRecord record = EventRecord(5, "other", "{}", 1);
  const LogRecord second = EventRecord(5, "c", "{}", 1);
  LogEvent& event = record.events.emplace_back();
  event.begin = static_cast<uint32_t>(record.bytes.size());
  event.size = static_cast<uint32_t>(second.bytes.size());
  event.channels.push_back(ChannelHash("c"));
  record.bytes += second.bytes;
  logs_.Open(1).Append(std::move(record));
  EXPECT_EQ(Next(), "1:5 1#11<=5");
}

TEST_F(EdgeFeedTest, ProgressWithoutEventsWaitsForItsTime) {
  Want({"c"});
  Attach(1);
  Append(1, 4, "other");
  EXPECT_EQ(Next(), "");
  EXPECT_EQ(Next(/*all_progress=*/true), "1#11<=4");
  EXPECT_EQ(Next(/*all_progress=*/true), "");
}

TEST_F(EdgeFeedTest, EventsTakeEveryonesProgressAlong) {
  Want({"c"});
  Attach(1);
  Attach(2);
  Append(1, 4, "other");
  Append(2, 6, "c");
  EXPECT_EQ(Next(), "2:6 1#11<=4 2#12<=6");
}

TEST_F(EdgeFeedTest, InterestNewsLeavesAtOnce) {
  Want({"c"});
  Attach(1);
  Append(1, 4, "c");
  Next();
  v1::Interest more;
  more.set_sequence(2);
  more.add_add("d");
  feed_.ApplyInterest(more);
  EXPECT_EQ(Next(), "1#11<=4 interest 2 after 4");
  Append(1, 5, "d");
  EXPECT_EQ(Next(), "1:5 1#11<=5");
}

TEST_F(EdgeFeedTest, InterestHoldsFromTheCursorOn) {
  Want({"c"});
  Attach(1);
  Append(1, 1, "d");
  ASSERT_EQ(Next(/*all_progress=*/true), "1#11<=1");
  Append(1, 2, "d");  // in the log, not yet in a batch: the new interest covers it
  v1::Interest more;
  more.set_sequence(2);
  more.add_add("d");
  feed_.ApplyInterest(more);
  EXPECT_EQ(Next(), "1:2 1#11<=2 interest 2 after 1");
}

TEST_F(EdgeFeedTest, WhatIsRemovedIsNoLongerSent) {
  Want({"c", "d"});
  Attach(1);
  v1::Interest less;
  less.set_sequence(2);
  less.add_remove("d");
  less.add_remove("never wanted");
  feed_.ApplyInterest(less);
  Next();
  Append(1, 1, "d");
  Append(1, 2, "c");
  EXPECT_EQ(Next(), "1:2 1#11<=2");
}

TEST_F(EdgeFeedTest, AFullInterestReplacesEverything) {
  Want({"c"});
  feed_.ApplyInterest(FullInterest(2, {"d"}));
  Attach(1);
  Append(1, 1, "c");
  Append(1, 2, "d");
  EXPECT_EQ(Next(), "1:2 1#11<=2");
}

TEST_F(EdgeFeedTest, AnAttachmentOfTheSameSlotReplacesTheOld) {
  Attach(1);
  v1::Attach again;
  again.set_slot(1);
  again.set_attach_id(99);
  feed_.Add(again);
  EXPECT_EQ(feed_.attachments().size(), 1u);
  EXPECT_FALSE(feed_.Remove(1, 11));  // a Detach that comes late
  EXPECT_TRUE(feed_.Remove(1, 99));
}

TEST_F(EdgeFeedTest, FallingBehindIsSaid) {
  PartitionLog& log = logs_.Open(1, {.max_bytes = 2 * EventRecord(1).cost()});
  Want({"c"});
  Attach(1);
  feed_.Find(1)->cursor = -1;
  for (int64_t offset : {1, 2, 3, 4}) log.Append(EventRecord(offset, "c", "{}", 1));
  EXPECT_EQ(Next(), "behind");
}

TEST_F(EdgeFeedTest, WhatWasTakenOutOfTheLogsIsInTheBatchThoughAnotherPartitionIsBehind) {
  PartitionLog& log = logs_.Open(2, {.max_bytes = 2 * EventRecord(1).cost()});
  Want({"c"});
  for (SlotId slot : {1u, 2u, 3u}) Attach(slot);
  for (int64_t offset : {1, 2, 3, 4}) log.Append(EventRecord(offset, "c", "{}", 2));
  Append(1, 5);
  Append(3, 6);
  bool behind = false;
  EXPECT_EQ(Text(feed_.BuildBatch(logs_, /*all_progress=*/false, &behind)),
            "1:5 3:6 1#11<=5 3#13<=6");
  EXPECT_TRUE(behind);
}

TEST_F(EdgeFeedTest, EvictionOfWhatWasTakenIsNoGap) {
  PartitionLog& log = logs_.Open(1, {.max_bytes = 2 * EventRecord(1).cost() + 20});
  Want({"c"});
  Attach(1);
  for (int64_t offset : {1, 2}) log.Append(EventRecord(offset, "c", "{}", 1));
  EXPECT_EQ(Next(), "1:1 1:2 1#11<=2");
  for (int64_t offset : {3, 4}) log.Append(EventRecord(offset, "c", "{}", 1));
  EXPECT_EQ(Next(), "1:3 1:4 1#11<=4");
}

class SmallBatchTest : public EdgeFeedTest {
 protected:
  SmallBatchTest() : EdgeFeedTest(100) {}
};

TEST_F(SmallBatchTest, IsCutBetweenRecords) {
  Want({"c"});
  Attach(1);
  const std::string payload(40, 'x');
  for (int64_t offset : {1, 2, 3}) Append(1, offset, "c", payload);
  EXPECT_EQ(Next(), "1:1 1#11<=1");
  EXPECT_EQ(Next(), "1:2 1#11<=2");
  EXPECT_EQ(Next(), "1:3 1#11<=3");
}

TEST_F(SmallBatchTest, ARecordLargerThanABatchTravelsAlone) {
  Want({"c"});
  Attach(1);
  Append(1, 1);
  Append(1, 2, "c", std::string(500, 'x'));
  Append(1, 3);
  EXPECT_EQ(Next(), "1:1 1#11<=1");
  EXPECT_EQ(Next(), "1:2 1#11<=2");
  EXPECT_EQ(Next(), "1:3 1#11<=3");
}

TEST_F(SmallBatchTest, EveryPartitionHasItsTurn) {
  Want({"c"});
  for (SlotId slot : {1u, 2u, 3u}) {
    Attach(slot);
    for (int64_t offset = 0; offset < 50; ++offset) {
      Append(slot, offset, "c", std::string(70, 'x'));
    }
  }
  std::map<std::string, int> turns;
  for (int n = 0; n < 9; ++n) ++turns[Next().substr(0, 2)];
  EXPECT_THAT(turns, testing::ElementsAre(testing::Pair("1:", 3), testing::Pair("2:", 3),
                                          testing::Pair("3:", 3)));
}

}  // namespace
}  // namespace spillway::ingest
