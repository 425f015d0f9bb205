#include <fstream>

#include "common/base/mutex.h"
#include "services/ingest/kafka/lag_commits.h"
#include "services/ingest/kafka/metadata_prober.h"
#include "tests/integration/kafka/kafka_fixture.h"

namespace spillway::ingest {
namespace {

// Collects what a prober reports and waits for one that fits.
class Reports {
 public:
  MetadataProber::OnMetadata Callback() {
    return [this](const Metadata& metadata) {
      MutexLock lock(mutex_);
      last_ = metadata;
      changed_.NotifyAll();
    };
  }
  bool WaitFor(const std::function<bool(const Metadata&)>& fits,
               std::chrono::milliseconds timeout = std::chrono::seconds(8)) {
    MutexLock lock(mutex_);
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    while (!last_ || !fits(*last_)) {
      if (std::chrono::steady_clock::now() >= deadline) return false;
      changed_.WaitUntil(mutex_, deadline);
    }
    return true;
  }
  Metadata last() {
    MutexLock lock(mutex_);
    return last_.value_or(Metadata());
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::optional<Metadata> last_;
};

class ProberTest : public KafkaTest {
 protected:
  std::unique_ptr<MetadataProber> NewProber(std::vector<std::string> wanted) {
    auto prober =
        MetadataProber::Create(settings_, {},
                               {.matches = [](std::string_view name) { return name != "wide"; },
                                .wanted = std::move(wanted)},
                               reports_.Callback());
    EXPECT_TRUE(prober.ok()) << prober.status();
    (*prober)->Start();
    return *std::move(prober);
  }

  template <typename T>
  static T Get(std::future<T>& future) {
    if (future.wait_for(std::chrono::seconds(10)) != std::future_status::ready)
      return absl::InternalError("no answer");
    return future.get();
  }
  static absl::StatusOr<PartitionBounds> Resolve(MetadataProber& prober, const char* topic,
                                                 int32_t partition) {
    auto promise = std::make_shared<std::promise<absl::StatusOr<PartitionBounds>>>();
    auto future = promise->get_future();
    prober.Resolve(topic, partition, [promise](absl::StatusOr<PartitionBounds> bounds) {
      promise->set_value(std::move(bounds));
    });
    return Get(future);
  }

  Reports reports_;
};

TEST_F(ProberTest, ListsWhatMatches) {
  auto prober = NewProber({"ticks"});
  ASSERT_TRUE(reports_.WaitFor([](const Metadata& metadata) { return metadata.up; }));
  const Metadata metadata = reports_.last();
  ASSERT_EQ(metadata.topics.size(), 1u);
  EXPECT_EQ(metadata.topics[0].name, "ticks");
  EXPECT_EQ(metadata.topics[0].partitions, 1);
  EXPECT_TRUE(metadata.missing.empty());
  EXPECT_EQ(metadata.brokers, 1);
}

TEST_F(ProberTest, NamesMissingAndDeniedTopicsAndSeesThemAppear) {
  ASSERT_TRUE(broker_->CreateTopic("secret", 1).ok());
  broker_->SetTopicError("secret", 29);
  auto prober = NewProber({"ticks", "later", "secret"});
  ASSERT_TRUE(reports_.WaitFor([](const Metadata& metadata) { return metadata.up; }));
  EXPECT_EQ(reports_.last().missing, std::vector<std::string>{"later"});
  EXPECT_EQ(reports_.last().denied, std::vector<std::string>{"secret"});
  ASSERT_TRUE(broker_->CreateTopic("later", 3).ok());
  broker_->SetTopicError("secret", 0);
  ASSERT_TRUE(reports_.WaitFor([](const Metadata& metadata) {
    return metadata.missing.empty() && metadata.denied.empty() && metadata.topics.size() == 3;
  }));
  EXPECT_EQ(reports_.last().topics[0].name, "later");
  EXPECT_EQ(reports_.last().topics[0].partitions, 3);
}

TEST_F(ProberTest, SaysDownAndUpWithinSeconds) {
  auto prober = NewProber({"ticks"});
  ASSERT_TRUE(reports_.WaitFor([](const Metadata& metadata) { return metadata.up; }));
  broker_->SetDown();
  ASSERT_TRUE(reports_.WaitFor([](const Metadata& metadata) { return !metadata.up; },
                               std::chrono::seconds(20)));
  EXPECT_NE(reports_.last().reason.find("no answer from Kafka"), std::string::npos)
      << reports_.last().reason;
  EXPECT_EQ(reports_.last().topics.size(), 1u) << "the last known ones";
  EXPECT_EQ(Resolve(*prober, "ticks", 0).status().code(), absl::StatusCode::kUnavailable);
  broker_->SetUp();
  ASSERT_TRUE(reports_.WaitFor([](const Metadata& metadata) { return metadata.up; },
                               std::chrono::seconds(20)));
}

TEST_F(ProberTest, SaysWhyWhenThereNeverWasABroker) {
  settings_.brokers = "127.0.0.1:1";
  auto prober = NewProber({"ticks"});
  ASSERT_TRUE(reports_.WaitFor([](const Metadata&) { return true; }));
  EXPECT_FALSE(reports_.last().up);
  EXPECT_NE(reports_.last().reason.find("Connection refused"), std::string::npos)
      << reports_.last().reason;
}

TEST_F(ProberTest, ResolvesBounds) {
  WriteNumbers("ticks", 0, 5);
  auto prober = NewProber({});
  ASSERT_TRUE(reports_.WaitFor([](const Metadata& metadata) { return metadata.up; }));
  const auto bounds = Resolve(*prober, "ticks", 0);
  ASSERT_TRUE(bounds.ok()) << bounds.status();
  EXPECT_EQ(bounds->begin, 0);
  EXPECT_EQ(bounds->end, 5);
  EXPECT_EQ(Resolve(*prober, "ticks", 5).status().code(), absl::StatusCode::kNotFound)
      << Resolve(*prober, "ticks", 5).status();
}

TEST_F(ProberTest, ResolvesManyAtOnce) {
  WriteNumbers("wide", 3, 2);
  auto prober = NewProber({});
  ASSERT_TRUE(reports_.WaitFor([](const Metadata& metadata) { return metadata.up; }));
  std::vector<std::future<absl::StatusOr<PartitionBounds>>> answers;
  for (int round = 0; round < 3; ++round) {
    for (int32_t partition = 0; partition < 8; ++partition) {
      auto promise = std::make_shared<std::promise<absl::StatusOr<PartitionBounds>>>();
      answers.push_back(promise->get_future());
      prober->Resolve("wide", partition, [promise](absl::StatusOr<PartitionBounds> bounds) {
        promise->set_value(std::move(bounds));
      });
    }
  }
  for (size_t i = 0; i < answers.size(); ++i) {
    const auto bounds = Get(answers[i]);
    ASSERT_TRUE(bounds.ok()) << bounds.status();
    EXPECT_EQ(bounds->end, i % 8 == 3 ? 2 : 0);
  }
}

// A broker that is away led half of a topic: the other half does not wait for question after
// question to it.
TEST_F(ProberTest, ALeaderThatIsAwayHoldsUpNobodyElse) {
  broker_ = *EmbeddedBroker::Start({.brokers = 2, .topics = {{"halves", 40}}});
  settings_.brokers = broker_->bootstrap();
  for (int partition = 0; partition < 40; ++partition)
    ASSERT_TRUE(broker_->SetLeader("halves", partition, partition < 20 ? 1 : 2).ok());
  auto prober = NewProber({});
  ASSERT_TRUE(reports_.WaitFor([](const Metadata& metadata) { return metadata.up; }));
  broker_->SetBrokerDown(1);
  std::vector<std::future<absl::StatusOr<PartitionBounds>>> answers;
  for (int32_t partition = 0; partition < 40; ++partition) {
    auto promise = std::make_shared<std::promise<absl::StatusOr<PartitionBounds>>>();
    answers.push_back(promise->get_future());
    prober->Resolve("halves", partition, [promise](absl::StatusOr<PartitionBounds> bounds) {
      promise->set_value(std::move(bounds));
    });
  }
  for (size_t i = 0; i < answers.size(); ++i) {
    ASSERT_EQ(answers[i].wait_for(std::chrono::seconds(20)), std::future_status::ready) << i;
    EXPECT_EQ(answers[i].get().ok(), i >= 20) << i;
  }
}

// A broker that has yet to hear that it leads says so at once: the next question goes to it again.
TEST_F(ProberTest, ABrokerThatDoesNotLeadYetIsNotSilent) {
  auto prober = NewProber({"ticks"});
  ASSERT_TRUE(reports_.WaitFor([](const Metadata& metadata) { return metadata.up; }));
  broker_->PushErrors(2, {6, 6});  // NOT_LEADER_OR_FOLLOWER, for both questions of a look-up
  EXPECT_EQ(Resolve(*prober, "ticks", 0).status().code(), absl::StatusCode::kUnavailable);
  broker_->PushErrors(2, {});
  absl::StatusOr<PartitionBounds> bounds = Resolve(*prober, "ticks", 0);
  if (!bounds.ok()) bounds = Resolve(*prober, "ticks", 0);  // the second of the errors
  EXPECT_TRUE(bounds.ok()) << bounds.status();
}

TEST_F(ProberTest, TimeWithoutARecordResolvesToTheEnd) {
  WriteNumbers("ticks", 0, 5);
  auto prober = NewProber({});
  ASSERT_TRUE(reports_.WaitFor([](const Metadata& metadata) { return metadata.up; }));
  std::promise<absl::StatusOr<int64_t>> promise;
  auto future = promise.get_future();
  prober->ResolveTime("ticks", 0, 4'000'000'000'000, [&](absl::StatusOr<int64_t> offset) {
    promise.set_value(std::move(offset));
  });
  const auto offset = Get(future);
  ASSERT_TRUE(offset.ok()) << offset.status();
  EXPECT_EQ(*offset, 5);
}

TEST_F(ProberTest, StopAnswersWhatWaits) {
  broker_->SetDown();
  auto prober = NewProber({});
  std::atomic<int> answers{0};
  for (int i = 0; i < 10; ++i) {
    prober->Resolve("ticks", 0, [&](const absl::StatusOr<PartitionBounds>& bounds) {
      EXPECT_FALSE(bounds.ok());
      ++answers;
    });
  }
  prober.reset();
  EXPECT_EQ(answers.load(), 10);
}

// The shards ask until they end, which is after the prober's thread.
TEST_F(ProberTest, AnswersCancelledOnceStopped) {
  auto prober = NewProber({});
  prober->Stop();
  EXPECT_EQ(Resolve(*prober, "ticks", 0).status().code(), absl::StatusCode::kCancelled);
}

TEST_F(ProberTest, LagCommitsOnlyGoForward) {
  settings_.group_id = "lag";
  WriteNumbers("ticks", 0, 5);
  const auto run = [&](int64_t mark, std::chrono::seconds patience = std::chrono::seconds(20)) {
    auto commits = *LagCommits::Create(settings_, {.interval = std::chrono::milliseconds(50),
                                                   .request_timeout = std::chrono::seconds(20)});
    commits->Processed("ticks", 0, mark);
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (commits->counters().committed.Value() == 0 && commits->counters().errors.Value() == 0 &&
           std::chrono::steady_clock::now() < deadline)
      usleep(10'000);
    EXPECT_EQ(commits->counters().errors.Value(), 0u);
    return commits->counters().committed.Value();
  };
  EXPECT_EQ(run(4), 1u);
  EXPECT_EQ(run(2, std::chrono::seconds(2)), 0u) << "never backwards";
  EXPECT_EQ(run(5), 1u);
}

TEST_F(ProberTest, BootstrapFileHoldsTheAddressAndGoes) {
  const std::string path = ::testing::TempDir() + "spillway-bootstrap-" + std::to_string(getpid());
  {
    auto broker = EmbeddedBroker::Start({.brokers = 2, .bootstrap_file = path});
    ASSERT_TRUE(broker.ok()) << broker.status();
    std::string line;
    std::getline(std::ifstream(path), line);
    EXPECT_EQ(line, (*broker)->bootstrap());
    EXPECT_NE(line.find(','), std::string::npos);
  }
  EXPECT_NE(access(path.c_str(), F_OK), 0);
}

}  // namespace
}  // namespace spillway::ingest
