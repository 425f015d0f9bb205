#include "services/ingest/kafka/partition_watch.h"

#include <algorithm>
#include <map>

#include "common/base/mutex.h"
#include "tests/integration/kafka/kafka_fixture.h"

namespace spillway::ingest {
namespace {

// Two brokers; partition 0 is led by the first, partition 1 by the second.
class PartitionWatchTest : public KafkaTest {
 protected:
  PartitionWatchTest() {
    broker_ = *EmbeddedBroker::Start({.brokers = 2, .topics = {{"pair", 2}}});
    settings_.brokers = broker_->bootstrap();
    for (int partition = 0; partition < 2; ++partition) {
      EXPECT_TRUE(broker_->SetLeader("pair", partition, partition + 1).ok());
    }
    wanted_ = {{.id = 7, .topic = "pair", .partition = 0},
               {.id = 8, .topic = "pair", .partition = 1}};
  }

  void StartWatch() {
    PartitionWatch::Options options;
    options.interval = std::chrono::milliseconds(50);
    options.request_timeout = std::chrono::milliseconds(500);
    auto watch = PartitionWatch::Create(
        settings_, options, Clock::Real(),
        [this] {
          MutexLock lock(mutex_);
          return wanted_;
        },
        [this](const std::vector<PartitionWatch::Seen>& seen) {
          MutexLock lock(mutex_);
          for (const PartitionWatch::Seen& one : seen) last_[one.id] = one;
          changed_.NotifyAll();
        });
    ASSERT_TRUE(watch.ok()) << watch.status();
    watch_ = *std::move(watch);
    watch_->Start();
  }
  // Waits until this was the last that was seen of the partition.
  bool WaitFor(uint64_t id, const std::function<bool(const PartitionWatch::Seen&)>& fits) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    MutexLock lock(mutex_);
    while (!last_.contains(id) || !fits(last_.at(id))) {
      if (std::chrono::steady_clock::now() >= deadline) return false;
      changed_.WaitUntil(mutex_, deadline);
    }
    return true;
  }
  bool WaitForEnd(uint64_t id, int64_t end) {
    return WaitFor(id, [end](const PartitionWatch::Seen& seen) { return seen.end == end; });
  }
  void Forget() {
    MutexLock lock(mutex_);
    last_.clear();
  }

  Mutex mutex_;
  CondVar changed_;
  std::vector<PartitionWatch::Partition> wanted_;
  std::map<uint64_t, PartitionWatch::Seen> last_;
  std::unique_ptr<PartitionWatch> watch_;
};

TEST_F(PartitionWatchTest, TellsTheEndsAsTheyMove) {
  WriteNumbers("pair", 0, 3);
  StartWatch();
  EXPECT_TRUE(WaitForEnd(7, 3));
  EXPECT_TRUE(WaitForEnd(8, 0));
  WriteNumbers("pair", 1, 2);
  EXPECT_TRUE(WaitForEnd(8, 2));
}

TEST_F(PartitionWatchTest, TellsALeaderThatIsAwayAndTheOthersGoOn) {
  WriteNumbers("pair", 0, 1);
  WriteNumbers("pair", 1, 1);
  StartWatch();
  ASSERT_TRUE(WaitForEnd(8, 1));
  const MonoTime before = Clock::Real().Now();
  broker_->SetBrokerDown(2);
  ASSERT_TRUE(WaitFor(8, [](const auto& seen) { return seen.away.has_value(); }));
  MonoTime since;
  {
    MutexLock lock(mutex_);
    since = last_.at(8).away->since;
    EXPECT_EQ(last_.at(8).end, -1);
    EXPECT_GE(since, before - std::chrono::milliseconds(1));
    EXPECT_FALSE(last_.at(7).away.has_value());
  }
  WriteNumbers("pair", 0, 1);
  EXPECT_TRUE(WaitForEnd(7, 2));
  // Since the first question without an answer, however often it is told; the last ones go on.
  Forget();
  ASSERT_TRUE(WaitFor(8, [](const auto& seen) { return seen.away.has_value(); }));
  {
    MutexLock lock(mutex_);
    EXPECT_EQ(last_.at(8).away->since, since);
    EXPECT_GT(last_.at(8).away->lately, since);
  }
  broker_->SetBrokerUp(2);
  EXPECT_TRUE(WaitForEnd(8, 1));
}

TEST_F(PartitionWatchTest, FindsTheNewLeader) {
  WriteNumbers("pair", 1, 4);
  StartWatch();
  ASSERT_TRUE(WaitForEnd(8, 4));
  ASSERT_TRUE(broker_->SetLeader("pair", 1, 1).ok());
  broker_->SetBrokerDown(2);
  Forget();
  EXPECT_TRUE(WaitForEnd(8, 4));
}

TEST_F(PartitionWatchTest, AsksForNothingThatIsNotWanted) {
  wanted_.pop_back();
  StartWatch();
  ASSERT_TRUE(WaitForEnd(7, 0));
  watch_->Stop();
  EXPECT_FALSE(last_.contains(8));
}

}  // namespace
}  // namespace spillway::ingest
