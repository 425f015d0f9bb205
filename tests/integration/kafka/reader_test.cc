#include <algorithm>
#include <map>
#include <random>

#include "tests/integration/kafka/kafka_fixture.h"

namespace spillway::ingest {
namespace {

class ReaderTest : public KafkaTest {};

TEST_F(ReaderTest, StartsAtAnOffsetAndSeesTheEnd) {
  WriteNumbers("ticks", 0, 20);
  auto consumer = NewConsumer();
  TestShard shard(*consumer);
  ASSERT_TRUE(shard->StartPartition("ticks", 0, 7, 1).ok());
  ASSERT_TRUE(shard.RunUntil([&] { return shard.Last(kEof, 1).has_value(); }));
  const auto records = shard.Records(1);
  ASSERT_EQ(records.size(), 13u);
  for (size_t i = 0; i < records.size(); ++i) {
    EXPECT_EQ(records[i].offset, static_cast<int64_t>(i) + 7);
    EXPECT_EQ(records[i].value, std::to_string(i + 7));
  }
  EXPECT_EQ(shard.Last(kEof, 1)->offset, 20);
  EXPECT_EQ(shard->NextOffset(1), 20);
  // What is written later wakes the shard, and the end is told again.
  shard.seen.clear();
  WriteNumbers("ticks", 0, 1);
  ASSERT_TRUE(shard.RunUntil([&] { return shard.Last(kEof, 1).has_value(); }));
  EXPECT_EQ(shard.Records(1).size(), 1u);
  EXPECT_EQ(shard.Last(kEof, 1)->offset, 21);
}

TEST_F(ReaderTest, CarriesKeyTimestampHeadersAndTombstone) {
  ProduceRequest request;
  request.topic = "ticks";
  request.key = "BTC";
  request.headers = {{"trace", "abc"}, {"empty", ""}};
  request.timestamp_ms = 1'700'000'000'123;
  ASSERT_TRUE(Write(request).ok());
  auto consumer = NewConsumer();
  TestShard shard(*consumer);
  ASSERT_TRUE(shard->StartPartition("ticks", 0, 0, 1).ok());
  bool checked = false;
  for (int i = 0; i < 1000 && !checked; ++i) {
    shard->Poll(10, [&](const PartitionEvent& event) {
      if (event.kind != kRecord) return;
      EXPECT_EQ(event.record->key, "BTC");
      EXPECT_FALSE(event.record->value.has_value());
      EXPECT_EQ(event.record->timestamp_ms, 1'700'000'000'123);
      std::vector<RecordHeader> headers;
      event.record->ReadHeaders(&headers);
      ASSERT_EQ(headers.size(), 2u);
      EXPECT_EQ(headers[0].name, "trace");
      EXPECT_EQ(headers[0].value, "abc");
      EXPECT_EQ(headers[1].value, "");
      checked = true;
    });
    usleep(5000);
  }
  EXPECT_TRUE(checked);
}

TEST_F(ReaderTest, RestartsNeverMixWithWhatWasBefore) {
  constexpr int kRecords = 400;
  WriteNumbers("ticks", 0, kRecords);
  auto consumer = NewConsumer();
  TestShard shard(*consumer);
  std::mt19937 random(7);
  uint64_t cookie = 0;
  for (int round = 0; round < 150; ++round) {
    const auto from = static_cast<int64_t>(random() % kRecords);
    ASSERT_TRUE(shard->StartPartition("ticks", 0, from, ++cookie).ok());
    shard.seen.clear();
    const size_t want = 1 + random() % 40;
    const uint64_t mine = cookie;
    // Some rounds stop with a full queue, some before anything came.
    if (round % 5 != 0) {
      ASSERT_TRUE(shard.RunUntil([&] {
        return shard.Records(mine).size() >= want || shard.Last(kEof, mine).has_value();
      })) << "round "
          << round;
    }
    shard->StopPartition(mine);
    shard->Poll(50, [&](const PartitionEvent& event) {
      ADD_FAILURE() << "after the stop: cookie " << event.cookie << " offset " << event.offset;
    });
    int64_t next = from;
    for (const Seen& one : shard.seen) {
      ASSERT_EQ(one.cookie, mine);
      if (one.kind != kRecord) continue;
      ASSERT_EQ(one.offset, next++) << "round " << round;
    }
  }
  EXPECT_EQ(shard->partitions(), 0u);
}

TEST_F(ReaderTest, HandlerMayStopAndStartAgain) {
  WriteNumbers("ticks", 0, 10);
  auto consumer = NewConsumer();
  TestShard shard(*consumer);
  ASSERT_TRUE(shard->StartPartition("ticks", 0, 0, 1).ok());
  std::vector<std::pair<uint64_t, int64_t>> order;
  for (int i = 0; i < 1000 && order.size() < 13; ++i) {
    shard->Poll(100, [&](const PartitionEvent& event) {
      if (event.kind != kRecord) return;
      order.emplace_back(event.cookie, event.offset);
      if (event.cookie == 1 && event.offset == 4) {
        shard->StopPartition(1);
        ASSERT_TRUE(shard->StartPartition("ticks", 0, 2, 2).ok());
      }
    });
    usleep(5000);
  }
  ASSERT_EQ(order.size(), 13u);
  for (size_t i = 0; i < 13; ++i) {
    EXPECT_EQ(order[i].first, i < 5 ? 1u : 2u);
    EXPECT_EQ(order[i].second, static_cast<int64_t>(i < 5 ? i : i - 3));
  }
}

TEST_F(ReaderTest, OutOfRangeEndsTheStart) {
  WriteNumbers("ticks", 0, 3);
  auto consumer = NewConsumer();
  TestShard shard(*consumer);
  ASSERT_TRUE(shard->StartPartition("ticks", 0, 1000, 1).ok());
  ASSERT_TRUE(shard.RunUntil([&] { return shard.Last(kError, 1).has_value(); }));
  const Seen error = *shard.Last(kError, 1);
  EXPECT_EQ(error.error, PartitionError::kOutOfRange) << error.text;
  EXPECT_TRUE(error.ended);
  EXPECT_EQ(error.offset, 1000);
  EXPECT_EQ(shard->partitions(), 0u);
  // And the partition can be read again at once, under the same cookie.
  shard.seen.clear();
  ASSERT_TRUE(shard->StartPartition("ticks", 0, 0, 1).ok());
  ASSERT_TRUE(shard.RunUntil([&] { return shard.Records(1).size() == 3; }));
}

TEST_F(ReaderTest, RefusesNonsense) {
  auto consumer = NewConsumer();
  TestShard shard(*consumer);
  EXPECT_EQ(shard->StartPartition("ticks", 0, -1, 1).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(shard->StartPartition("ticks", -1, 0, 1).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(shard->StartPartition("", 0, 0, 1).code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(shard->StartPartition("ticks", 0, 0, 1).ok());
  EXPECT_EQ(shard->StartPartition("ticks", 0, 0, 2).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(shard->StartPartition("wide", 0, 0, 1).code(), absl::StatusCode::kAlreadyExists);
  shard->StopPartition(99);
  EXPECT_EQ(shard->partitions(), 1u);
}

TEST_F(ReaderTest, GoesOnAfterTheBrokerWasDown) {
  WriteNumbers("ticks", 0, 5);
  auto consumer = NewConsumer();
  TestShard shard(*consumer);
  ASSERT_TRUE(shard->StartPartition("ticks", 0, 0, 1).ok());
  ASSERT_TRUE(shard.RunUntil([&] { return shard.Records(1).size() == 5; }));
  broker_->SetDown();
  shard.RunUntil([] { return false; }, std::chrono::milliseconds(300));
  broker_->SetUp();
  WriteNumbers("ticks", 0, 5);
  ASSERT_TRUE(shard.RunUntil([&] { return shard.Records(1).size() == 10; }));
  const auto records = shard.Records(1);
  for (size_t i = 0; i < records.size(); ++i) EXPECT_EQ(records[i].offset, static_cast<int64_t>(i));
}

TEST_F(ReaderTest, PartitionThatAppearsLaterIsRead) {
  // The embedded broker creates a topic when its name is first asked for; until then Metadata says
  // that there is none, as it does here for a while.
  ASSERT_TRUE(broker_->CreateTopic("late", 1).ok());
  broker_->SetTopicError("late", 3);  // UNKNOWN_TOPIC_OR_PARTITION
  auto consumer = NewConsumer();
  TestShard shard(*consumer);
  ASSERT_TRUE(shard->StartPartition("late", 0, 0, 1).ok());
  shard.RunUntil([&] { return !shard.seen.empty(); }, std::chrono::milliseconds(300));
  broker_->SetTopicError("late", 0);
  WriteNumbers("late", 0, 3);
  // A start that librdkafka has given up is made again, as a shard does.
  ASSERT_TRUE(shard.RunUntil([&] {
    if (shard->partitions() == 0) {
      EXPECT_TRUE(shard->StartPartition("late", 0, 0, 1).ok());
    }
    return shard.Records(1).size() == 3;
  }));
}

TEST_F(ReaderTest, StopDoesNotHoldUpTheShard) {
  WriteNumbers("ticks", 0, 5);
  auto consumer = NewConsumer();
  TestShard shard(*consumer);
  std::vector<std::chrono::microseconds> times;
  for (int i = 0; i < 200; ++i) {
    if (i == 100) broker_->SetDown();
    ASSERT_TRUE(shard->StartPartition("ticks", 0, 0, 1).ok());
    const auto before = std::chrono::steady_clock::now();
    shard->StopPartition(1);
    times.push_back(std::chrono::duration_cast<std::chrono::microseconds>(
        std::chrono::steady_clock::now() - before));
  }
  std::sort(times.begin(), times.end());
  RecordProperty("median_us", static_cast<int>(times[100].count()));
  RecordProperty("max_us", static_cast<int>(times.back().count()));
  EXPECT_LT(times[100], std::chrono::milliseconds(20));
}

TEST_F(ReaderTest, BurstArrivesWholeAndInOrder) {
  constexpr int kPartitions = 8;
  constexpr int kRecords = 100'000;
  auto consumer = NewConsumer();
  TestShard first(*consumer);
  TestShard second(*consumer);
  for (int partition = 0; partition < kPartitions; ++partition) {
    TestShard& shard = partition % 2 == 0 ? first : second;
    ASSERT_TRUE(shard->StartPartition("wide", partition, 0, 100 + partition).ok());
  }
  std::map<uint64_t, int64_t> next;
  int received = 0;
  const auto take = [&](const PartitionEvent& event) {
    if (event.kind == kEof) return;
    ASSERT_EQ(event.kind, kRecord) << event.text;
    ASSERT_EQ(event.offset, next[event.cookie]++);
    ASSERT_EQ(event.record->value->size(), 200u);
    ++received;
  };
  const std::string value(200, 'x');
  for (int i = 0; i < kRecords; ++i) {
    ProduceRequest request;
    request.topic = "wide";
    request.partition = i % kPartitions;
    request.value = value;
    while (!producer().Produce(request, [](const absl::StatusOr<ProducedAt>&) {}).ok()) {
      first->Poll(1000, take);
      second->Poll(1000, take);
    }
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (received < kRecords && std::chrono::steady_clock::now() < deadline) {
    const bool more = first->Poll(1000, take);
    if (!second->Poll(1000, take) && !more) usleep(1000);
  }
  EXPECT_EQ(received, kRecords);
  EXPECT_EQ(first->counters().records.Value() + second->counters().records.Value(),
            static_cast<uint64_t>(kRecords));
}

TEST_F(ReaderTest, SmallQueueHoldsBackAndLosesNothing) {
  auto consumer =
      *PartitionConsumer::Create(settings_, {.queue_bytes = 64 << 10, .fetch_max_bytes = 64 << 10});
  const std::string value(10'000, 'x');
  for (int i = 0; i < 60; ++i) {
    ProduceRequest request;
    request.topic = "ticks";
    request.value = value;
    ASSERT_TRUE(Write(request).ok());
  }
  TestShard shard(*consumer);
  ASSERT_TRUE(shard->StartPartition("ticks", 0, 0, 1).ok());
  const auto wait_for = [](const std::function<bool()>& condition) {
    for (int tries = 0; tries < 2000 && !condition(); ++tries) usleep(10'000);
    return condition();
  };
  ASSERT_TRUE(wait_for([&] { return shard->queued() >= 5; }));
  usleep(200'000);  // in which all would come
  EXPECT_LT(shard->queued(), 30u);
  size_t taken = 0;
  shard->Poll(1, [&](const PartitionEvent&) { ++taken; });
  EXPECT_EQ(taken, 1u);  // by whose size it is known how much there is
  ASSERT_TRUE(wait_for([&] { return shard->full(); })) << shard->queued();
  ASSERT_TRUE(
      shard.RunUntil([&] { return shard.Records(1).size() == 59; }, std::chrono::seconds(20)));
  EXPECT_FALSE(shard->full());
}

}  // namespace
}  // namespace spillway::ingest
