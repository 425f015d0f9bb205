#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "services/ingest/kafka/embedded_broker.h"
#include "services/ingest/kafka/partition_consumer.h"
#include "services/ingest/kafka/producer.h"
#include "services/ingest/kafka/shard_reader.h"

namespace spillway::ingest {

// A copy of a PartitionEvent that outlives its handler.
struct Seen {
  uint64_t cookie;
  PartitionEvent::Kind kind;
  int64_t offset;
  PartitionError error;
  bool ended;
  std::string value;
  std::string text;
};

// A reader with the loop that a shard's thread has: poll the eventfd, then the queue. Everything on
// the test's thread.
class TestShard {
 public:
  explicit TestShard(PartitionConsumer& consumer)
      : fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)), reader_(consumer.NewReader(fd_)) {}
  ~TestShard() {
    reader_.reset();
    close(fd_);
  }

  ShardReader& operator*() { return *reader_; }
  ShardReader* operator->() { return reader_.get(); }

  // Runs until `done` or the time is over; says which. Waits on the eventfd alone: a wake-up that
  // is lost shows as a time-out.
  bool RunUntil(const std::function<bool()>& done,
                std::chrono::milliseconds timeout = std::chrono::seconds(10)) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    bool more = true;
    while (!done()) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          deadline - std::chrono::steady_clock::now());
      if (left.count() <= 0) return false;
      if (!more) {
        pollfd entry{.fd = fd_, .events = POLLIN, .revents = 0};
        ::poll(&entry, 1, static_cast<int>(left.count()));
        uint64_t count = 0;
        (void)!::read(fd_, &count, sizeof(count));
      }
      more = reader_->Poll(100, [this](const PartitionEvent& event) { Take(event); });
    }
    return true;
  }

  std::vector<Seen> Records(uint64_t cookie) const {
    std::vector<Seen> out;
    for (const Seen& one : seen) {
      if (one.cookie == cookie && one.kind == PartitionEvent::Kind::kRecord) out.push_back(one);
    }
    return out;
  }
  std::optional<Seen> Last(PartitionEvent::Kind kind, uint64_t cookie) const {
    for (auto it = seen.rbegin(); it != seen.rend(); ++it) {
      if (it->kind == kind && it->cookie == cookie) return *it;
    }
    return std::nullopt;
  }

  std::vector<Seen> seen;

 private:
  void Take(const PartitionEvent& event) {
    Seen one{event.cookie, event.kind, event.offset,           event.error,
             event.ended,  "",         std::string(event.text)};
    if (event.record != nullptr && event.record->value)
      one.value = std::string(*event.record->value);
    seen.push_back(std::move(one));
  }

  int fd_;
  std::unique_ptr<ShardReader> reader_;
};

class KafkaTest : public ::testing::Test {
 protected:
  static constexpr auto kRecord = PartitionEvent::Kind::kRecord;
  static constexpr auto kEof = PartitionEvent::Kind::kEof;
  static constexpr auto kError = PartitionEvent::Kind::kError;

  KafkaTest() {
    auto broker = EmbeddedBroker::Start({.brokers = 1, .topics = {{"ticks", 1}, {"wide", 8}}});
    EXPECT_TRUE(broker.ok()) << broker.status();
    broker_ = *std::move(broker);
    settings_.brokers = broker_->bootstrap();
    settings_.client_id = "test";
    settings_.embedded_broker = true;
  }

  std::unique_ptr<PartitionConsumer> NewConsumer() {
    auto consumer = PartitionConsumer::Create(settings_, {});
    EXPECT_TRUE(consumer.ok()) << consumer.status();
    return *std::move(consumer);
  }
  Producer& producer() {
    if (!producer_) {
      auto made = Producer::Create(settings_, producer_options_);
      EXPECT_TRUE(made.ok()) << made.status();
      producer_ = *std::move(made);
    }
    return *producer_;
  }

  // Waits for the acknowledgement.
  absl::StatusOr<ProducedAt> Write(const ProduceRequest& request) {
    auto promise = std::make_shared<std::promise<absl::StatusOr<ProducedAt>>>();
    auto future = promise->get_future();
    const absl::Status accepted = producer().Produce(
        request, [promise](absl::StatusOr<ProducedAt> result) { promise->set_value(result); });
    if (!accepted.ok()) return accepted;
    if (future.wait_for(std::chrono::seconds(20)) != std::future_status::ready)
      return absl::InternalError("no answer");
    return future.get();
  }
  void WriteNumbers(const std::string& topic, int32_t partition, int count) {
    for (int i = 0; i < count; ++i) {
      const std::string value = std::to_string(i);
      ProduceRequest request;
      request.topic = topic;
      request.partition = partition;
      request.value = value;
      const auto written = Write(request);
      ASSERT_TRUE(written.ok()) << written.status();
    }
  }

  std::unique_ptr<EmbeddedBroker> broker_;
  KafkaSettings settings_;
  Producer::Options producer_options_;
  std::unique_ptr<Producer> producer_;
};

}  // namespace spillway::ingest
