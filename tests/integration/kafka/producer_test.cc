#include <atomic>
#include <set>

#include "services/ingest/kafka/dead_letter.h"
#include "tests/integration/kafka/kafka_fixture.h"

namespace spillway::ingest {
namespace {

class ProducerTest : public KafkaTest {};

TEST_F(ProducerTest, AnswersWithThePosition) {
  ProduceRequest request;
  request.topic = "ticks";
  request.value = "a";
  auto first = Write(request);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->partition, 0);
  EXPECT_EQ(first->offset, 0);
  EXPECT_EQ(Write(request)->offset, 1);
  EXPECT_EQ(producer().in_flight_messages(), 0);
  EXPECT_EQ(producer().in_flight_bytes(), 0);
}

TEST_F(ProducerTest, ErrorsOnTheWayNeitherLoseNorRepeatNorReorder) {
  // 19 NOT_ENOUGH_REPLICAS, 7 REQUEST_TIMED_OUT: retried; -195: the connection is cut.
  broker_->PushErrors(0, {19, 7, -195, 19});
  constexpr int kRecords = 500;
  std::atomic<int> delivered{0};
  for (int i = 0; i < kRecords; ++i) {
    const std::string value = std::to_string(i);
    ProduceRequest request;
    request.topic = "ticks";
    request.value = value;
    ASSERT_TRUE(producer()
                    .Produce(request,
                             [&](const absl::StatusOr<ProducedAt>& result) {
                               EXPECT_TRUE(result.ok()) << result.status();
                               ++delivered;
                             })
                    .ok());
  }
  auto consumer = NewConsumer();
  TestShard shard(*consumer);
  ASSERT_TRUE(shard->StartPartition("ticks", 0, 0, 1).ok());
  ASSERT_TRUE(shard.RunUntil([&] {
    return delivered.load() == kRecords && shard.Records(1).size() >= static_cast<size_t>(kRecords);
  }));
  const auto records = shard.Records(1);
  ASSERT_EQ(records.size(), static_cast<size_t>(kRecords));
  for (int i = 0; i < kRecords; ++i)
    EXPECT_EQ(records[static_cast<size_t>(i)].value, std::to_string(i));
}

TEST_F(ProducerTest, PartitionFollowsTheKeyElseTheIdempotencyKey) {
  std::set<int32_t> used;
  for (int i = 0; i < 30; ++i) {
    const std::string name = "user-" + std::to_string(i);
    ProduceRequest by_key;
    by_key.topic = "wide";
    by_key.key = name;
    by_key.value = "v";
    const auto first = Write(by_key);
    ASSERT_TRUE(first.ok()) << first.status();
    EXPECT_EQ(Write(by_key)->partition, first->partition);
    used.insert(first->partition);

    ProduceRequest by_id;
    by_id.topic = "wide";
    by_id.idempotency_key = name;
    by_id.value = "v";
    EXPECT_EQ(Write(by_id)->partition, first->partition);

    by_key.idempotency_key = "something else";
    EXPECT_EQ(Write(by_key)->partition, first->partition) << "the record key goes first";
  }
  EXPECT_GT(used.size(), 3u);
}

TEST_F(ProducerTest, KeysArePlacedAsJavaPlacesThem) {
  // toPositive(murmur2(key)) % 8 of org.apache.kafka.common.utils.Utils; hashes from its UtilsTest.
  const std::pair<const char*, int32_t> kKnown[] = {
      {"21", -973932308}, {"foobar", -790332482}, {"a-little-bit-long-string", -985981536}};
  for (const auto& [key, hash] : kKnown) {
    ProduceRequest request;
    request.topic = "wide";
    request.key = key;
    request.value = "v";
    EXPECT_EQ(Write(request)->partition, (hash & 0x7fffffff) % 8) << key;
  }
}

TEST_F(ProducerTest, UnknownPartitionIsNotFound) {
  ProduceRequest request;
  request.topic = "ticks";
  request.partition = 7;
  request.value = "v";
  EXPECT_EQ(Write(request).status().code(), absl::StatusCode::kNotFound) << Write(request).status();
}

TEST_F(ProducerTest, DeadlineWhenKafkaIsDown) {
  producer_options_.delivery_timeout = std::chrono::milliseconds(700);
  producer_options_.stop_timeout = std::chrono::milliseconds(100);
  broker_->SetDown();
  ProduceRequest request;
  request.topic = "ticks";
  request.value = "v";
  const auto before = std::chrono::steady_clock::now();
  const auto result = Write(request);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kDeadlineExceeded) << result.status();
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(5));
}

TEST_F(ProducerTest, FullMeansResourceExhaustedAndStopAnswersTheRest) {
  producer_options_.max_in_flight_messages = 3;
  producer_options_.stop_timeout = std::chrono::milliseconds(50);
  broker_->SetDown();
  ProduceRequest request;
  request.topic = "ticks";
  request.value = "v";
  std::vector<absl::Status> answers;
  const auto keep = [&](const absl::StatusOr<ProducedAt>& result) {
    answers.push_back(result.status());
  };
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(producer().Produce(request, keep).ok());
  EXPECT_EQ(producer().Produce(request, keep).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(producer().counters().refused.Value(), 1u);
  producer_.reset();
  ASSERT_EQ(answers.size(), 3u);
  for (const absl::Status& status : answers)
    EXPECT_EQ(status.code(), absl::StatusCode::kCancelled) << status;
}

TEST_F(ProducerTest, BytesAreBoundedToo) {
  producer_options_.max_in_flight_bytes = 1000;
  producer_options_.stop_timeout = std::chrono::milliseconds(50);
  broker_->SetDown();
  const std::string value(600, 'x');
  ProduceRequest request;
  request.topic = "ticks";
  request.value = value;
  const auto ignore = [](const absl::StatusOr<ProducedAt>&) {};
  EXPECT_TRUE(producer().Produce(request, ignore).ok());
  EXPECT_EQ(producer().Produce(request, ignore).code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(ProducerTest, DeadLetterKeepsTheRecordAndSaysWhy) {
  ASSERT_TRUE(broker_->CreateTopic("dead", 1).ok());
  DeadLetter dead(producer(), {.topic = "dead"});
  RecordView bad;
  bad.offset = 42;
  bad.key = "k";
  bad.value = "{not json";
  dead.Send("ticks", 3, bad, "bad_json");
  auto consumer = NewConsumer();
  TestShard shard(*consumer);
  ASSERT_TRUE(shard->StartPartition("dead", 0, 0, 1).ok());
  bool found = false;
  for (int i = 0; i < 1000 && !found; ++i) {
    shard->Poll(10, [&](const PartitionEvent& event) {
      if (event.kind != kRecord) return;
      found = true;
      EXPECT_EQ(event.record->key, "k");
      EXPECT_EQ(event.record->value, "{not json");
      std::vector<RecordHeader> headers;
      event.record->ReadHeaders(&headers);
      ASSERT_EQ(headers.size(), 4u);
      EXPECT_EQ(headers[0].name, "spillway.reason");
      EXPECT_EQ(headers[0].value, "bad_json");
      EXPECT_EQ(headers[1].value, "ticks");
      EXPECT_EQ(headers[2].value, "3");
      EXPECT_EQ(headers[3].value, "42");
    });
    usleep(5000);
  }
  EXPECT_TRUE(found);
}

TEST_F(ProducerTest, DeadLetterDropsAtItsBound) {
  producer_options_.stop_timeout = std::chrono::milliseconds(50);
  broker_->SetDown();
  DeadLetter dead(producer(), {.topic = "dead", .max_in_flight = 2});
  RecordView bad;
  bad.value = "x";
  for (int i = 0; i < 5; ++i) dead.Send("ticks", 0, bad, "bad_json");
  EXPECT_EQ(dead.counters().dropped.Value(), 3u);
}

}  // namespace
}  // namespace spillway::ingest
