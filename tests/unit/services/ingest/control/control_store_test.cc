#include "services/ingest/control/control_store.h"

#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/fake_clock.h"

namespace spillway::ingest {
namespace {

using std::chrono::seconds;

// The topic is played: what is produced is kept, and acknowledged when the test says so.
class ControlStoreTest : public testing::Test {
 protected:
  struct Produced {
    std::string key;
    std::optional<std::string> value;
    std::vector<std::pair<std::string, std::string>> headers;
    Producer::Callback done;
  };

  ControlStoreTest() { Make(1'000); }
  void Make(size_t max_entries) {
    store_ = std::make_unique<ControlStore>(
        ControlStore::Options{.topic = "control",
                              .node_id = "ingest-1",
                              .max_entries = max_entries,
                              .clear_after = seconds(5),
                              .clear_spread = seconds(0)},
        clock_,
        [this](const ProduceRequest& request, Producer::Callback done) {
          EXPECT_EQ(request.topic, "control");
          if (!refusal_.ok()) return refusal_;
          produced_.push_back({std::string(*request.key),
                               request.value.has_value()
                                   ? std::optional(std::string(*request.value))
                                   : std::nullopt,
                               request.headers, std::move(done)});
          return absl::OkStatus();
        },
        [this](const v1::Control& control) { told_.push_back(control); });
  }
  v1::ControlEntry Entry(const std::string& user, seconds ttl = seconds(0)) {
    v1::ControlEntry entry;
    entry.set_kind(v1::CONTROL_KIND_USER_BLOCK);
    entry.set_subject(user);
    entry.set_issued_us(ToUnixMicros(clock_.WallNow()) + ++issued_);
    entry.set_node_id("edge-1");
    if (ttl.count() > 0) entry.set_expires_us(ToUnixMicros(clock_.WallNow() + ttl));
    return entry;
  }
  v1::ControlEntry Removal(const std::string& user) {
    v1::ControlEntry entry = Entry(user, seconds(86'400));
    entry.set_removed(true);
    return entry;
  }
  void Read(const std::string& key, const std::optional<std::string>& value,
            int64_t timestamp_ms = 0) {
    RecordView record;
    record.key = key;
    if (value.has_value()) record.value = *value;
    record.timestamp_ms = timestamp_ms;
    store_->OnRecord(record);
  }
  void Read(const v1::ControlEntry& entry) {
    Read(control::KeyOf(entry), entry.SerializeAsString());
  }
  std::string Write(const v1::ControlEntry& entry) {
    last_ = "waits";
    store_->Write(entry, [this](absl::StatusOr<bool> superseded) {
      last_ = !superseded.ok() ? std::string(absl::StatusCodeToString(superseded.status().code()))
              : *superseded    ? "superseded"
                               : "written";
    });
    return last_;
  }
  void Acknowledge() {
    for (Produced& one : std::exchange(produced_, {})) one.done(ProducedAt{});
  }
  size_t ToldEntries() const {
    size_t count = 0;
    for (const v1::Control& one : told_) count += static_cast<size_t>(one.entries_size());
    return count;
  }

  test::FakeClock clock_;
  int64_t issued_ = 0;
  absl::Status refusal_;
  std::string last_;
  std::vector<Produced> produced_;
  std::vector<v1::Control> told_;
  std::unique_ptr<ControlStore> store_;
};

TEST_F(ControlStoreTest, EdgesAreToldWhenAllWasRead) {
  Read(Entry("u1"));
  Read(Entry("u2"));
  EXPECT_TRUE(told_.empty());
  ASSERT_EQ(store_->Whole().size(), 1u);
  EXPECT_FALSE(store_->Whole()[0].complete());
  EXPECT_NE(store_->Whole()[0].problem(), "") << "who links now is told why it has to wait";
  store_->OnWhole();
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_TRUE(told_[0].complete());
  EXPECT_EQ(told_[0].entries_size(), 2);
  Read(Entry("u3"));
  EXPECT_EQ(ToldEntries(), 3u);
  EXPECT_TRUE(store_->status().whole);
  EXPECT_EQ(store_->status().entries, 3u);
}

TEST_F(ControlStoreTest, TheWholeComesInPieces) {
  Make(10'000);
  for (int i = 0; i < 2'500; ++i) Read(Entry("u" + std::to_string(i)));
  store_->OnWhole();
  const auto pieces = store_->Whole();
  ASSERT_EQ(pieces.size(), 3u);
  EXPECT_FALSE(pieces[0].complete());
  EXPECT_TRUE(pieces[2].complete());
}

TEST_F(ControlStoreTest, AProblemIsToldOnce) {
  store_->OnProblem("topic_denied");
  store_->OnProblem("topic_denied");
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_EQ(told_[0].problem(), "topic_denied");
  EXPECT_EQ(store_->Whole()[0].problem(), "topic_denied");
}

TEST_F(ControlStoreTest, IsWrittenOnceKafkaHasIt) {
  store_->OnWhole();
  told_.clear();
  const v1::ControlEntry entry = Entry("u1");
  EXPECT_EQ(Write(entry), "waits");
  ASSERT_EQ(produced_.size(), 1u);
  EXPECT_EQ(produced_[0].key, "user_block:u1");
  EXPECT_EQ(produced_[0].value, entry.SerializeAsString());
  EXPECT_TRUE(told_.empty());
  Acknowledge();
  EXPECT_EQ(last_, "written");
  EXPECT_EQ(ToldEntries(), 1u) << "edges that were not asked have it before Kafka echoes it";
  Read(entry);
  EXPECT_EQ(ToldEntries(), 1u) << "the echo is known";
}

TEST_F(ControlStoreTest, ARemovalIsATombstoneThatSaysWhatItLifts) {
  store_->OnWhole();
  const v1::ControlEntry removal = Removal("u1");
  Write(removal);
  ASSERT_EQ(produced_.size(), 1u);
  EXPECT_FALSE(produced_[0].value.has_value());
  ASSERT_EQ(produced_[0].headers.size(), 1u);
  EXPECT_EQ(produced_[0].headers[0].first, "spillway.control");
  EXPECT_EQ(produced_[0].headers[0].second, removal.SerializeAsString());
}

TEST_F(ControlStoreTest, ATombstoneOfSomebodyElseLifts) {
  Read(Entry("u1"));
  store_->OnWhole();
  clock_.Advance(seconds(10));
  Read("user_block:u1", std::nullopt, ToUnixMillis(clock_.WallNow()));
  EXPECT_EQ(store_->status().entries, 0u);
  ASSERT_EQ(told_.back().entries_size(), 1);
  EXPECT_TRUE(told_.back().entries(0).removed());
}

TEST_F(ControlStoreTest, ATombstoneOfNoTimeIsPassedOver) {
  Read(Entry("u1"));
  store_->OnWhole();
  // Producers may give any: this one, in microseconds, is 2^64 too much for a number, and little.
  Read("user_block:u1", std::nullopt, 18'446'744'073'709'552);
  Read("user_block:u1", std::nullopt, std::numeric_limits<int64_t>::max());
  EXPECT_EQ(store_->counters().bad.Value(), 2u);
  EXPECT_EQ(store_->status().entries, 1u);
}

// In a link's message it would keep edges from reading the whole of it.
TEST_F(ControlStoreTest, ATombstoneOfAKeyThatIsNoTextIsPassedOver) {
  store_->OnWhole();
  told_.clear();
  Read("user_block:u\xDB", std::nullopt, ToUnixMillis(clock_.WallNow()));
  EXPECT_EQ(store_->counters().bad.Value(), 1u);
  EXPECT_TRUE(told_.empty());
}

TEST_F(ControlStoreTest, WhatWasSupersededIsNotWritten) {
  const v1::ControlEntry early = Entry("u1");
  Read(Removal("u1"));
  EXPECT_EQ(Write(early), "superseded");
  EXPECT_TRUE(produced_.empty());
}

TEST_F(ControlStoreTest, RefusalsAreTold) {
  v1::ControlEntry bad = Entry("u1");
  bad.set_kind(v1::CONTROL_KIND_UNSPECIFIED);
  EXPECT_EQ(Write(bad), "INVALID_ARGUMENT");
  refusal_ = absl::ResourceExhaustedError("busy");
  EXPECT_EQ(Write(Entry("u1")), "RESOURCE_EXHAUSTED");
  refusal_ = absl::OkStatus();
  Write(Entry("u2"));
  produced_[0].done(absl::DeadlineExceededError("Kafka is away"));
  EXPECT_EQ(last_, "DEADLINE_EXCEEDED");
  EXPECT_EQ(store_->status().entries, 0u) << "what Kafka does not have is not in force here";
  EXPECT_EQ(store_->counters().failed.Value(), 2u);
}

TEST_F(ControlStoreTest, IsBounded) {
  Make(2);
  store_->OnWhole();
  Read(Entry("u1"));
  Read(Entry("u2"));
  EXPECT_EQ(Write(Entry("u3")), "RESOURCE_EXHAUSTED");
  EXPECT_EQ(Write(Entry("u2")), "waits") << "in place of the one that is there";
  EXPECT_EQ(Write(Removal("u1")), "waits");
  Read(Entry("u4"));
  EXPECT_EQ(store_->counters().dropped.Value(), 1u);
}

TEST_F(ControlStoreTest, WhatHasEndedIsClearedOnce) {
  store_->OnWhole();
  Read(Entry("u1", seconds(10)));
  Read(Entry("u2", seconds(10)));
  clock_.Advance(seconds(10));
  store_->OnTurn();
  EXPECT_TRUE(produced_.empty()) << "another ingest may come first";
  Read("user_block:u2", std::nullopt, ToUnixMillis(clock_.WallNow()));
  clock_.Advance(seconds(5));
  store_->OnTurn();
  store_->OnTurn();
  ASSERT_EQ(produced_.size(), 1u);
  EXPECT_EQ(produced_[0].key, "user_block:u1");
  EXPECT_FALSE(produced_[0].value.has_value());
  Acknowledge();
  EXPECT_EQ(store_->counters().cleared.Value(), 1u);
}

TEST_F(ControlStoreTest, WhatEndedWhileNobodyWasThereIsClearedToo) {
  v1::ControlEntry entry = Entry("u1", seconds(10));
  clock_.Advance(std::chrono::hours(100));
  Read(entry);
  store_->OnWhole();
  clock_.Advance(seconds(5));
  store_->OnTurn();
  ASSERT_EQ(produced_.size(), 1u);
  // A later one of the same key keeps its record.
  produced_.clear();
  Read(entry);
  Read(Entry("u1"));
  clock_.Advance(seconds(5));
  store_->OnTurn();
  EXPECT_TRUE(produced_.empty());
}

TEST_F(ControlStoreTest, WhatIsNoEntryIsPassedOver) {
  Read("user_block:u1", "\xFFnonsense");
  Read("nonsense", std::nullopt, 5);
  v1::ControlEntry entry = Entry("u1");
  Read("user_block:u2", entry.SerializeAsString());  // another's key
  EXPECT_EQ(store_->counters().bad.Value(), 3u);
  EXPECT_EQ(store_->status().entries, 0u);
}

}  // namespace
}  // namespace spillway::ingest
