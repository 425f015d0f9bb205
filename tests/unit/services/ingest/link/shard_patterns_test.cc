// Interest in patterns, and what is read of one.

#include <gmock/gmock.h>

#include <algorithm>

#include "tests/unit/services/ingest/link/read_fixture.h"

namespace spillway::ingest {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ShardPatterns : public ReadTest {
 protected:
  void SetUp() override { Build({}, /*keeps_latest=*/true); }

  void TakeUp(std::vector<std::string> interest) {
    core_->OpenLink(1);
    core_->OnInterest(1, FullInterest(1, std::move(interest)));
    AttachEnd(1, 11);
    core_->OnResolved(1, 0, 100, now_);
    source_.Take();
    sink_.Take(1);
  }
  void Wide(int64_t offset, const std::vector<std::vector<std::string>>& events,
            const std::string& key = "k") {
    core_->OnLiveRecord(1, WideRecord(offset, events, key, 1), now_);
  }
  void Change(uint64_t sequence, std::vector<std::string> add, std::vector<std::string> remove) {
    v1::Interest interest;
    interest.set_sequence(sequence);
    for (std::string& name : add) interest.add_add(std::move(name));
    for (std::string& name : remove) interest.add_remove(std::move(name));
    core_->OnInterest(1, interest);
  }
  // A read's events as "offset:channel,channel", in their order, or sorted.
  std::string Read(uint64_t id, bool sorted = false) {
    std::vector<std::string> texts;
    for (const auto& bytes : sink_.reads[id].events) {
      wire::ChannelViews channels;
      EXPECT_TRUE(wire::ParseBatchEventChannels(*bytes, &channels));
      std::string text = Text(*bytes);
      text.erase(0, text.find(':') + 1);
      for (size_t i = 0; i < channels.size(); ++i) {
        text += i == 0 ? ":" : ",";
        text += channels[i];
      }
      texts.push_back(std::move(text));
    }
    if (sorted) std::sort(texts.begin(), texts.end());
    return absl::StrJoin(texts, " ");
  }
};

TEST_F(ShardPatterns, AnEventGoesOnceHoweverManyWantIt) {
  TakeUp({"p.a", "p.*", "**.a"});
  Wide(100, {{"p.a"}});
  Wide(101, {{"q.b"}});
  Wide(102, {{"q.b", "p.c"}});
  EXPECT_THAT(Pump(), ElementsAre("1:100 1:102 1#11<=102"));
}

TEST_F(ShardPatterns, InterestInPatternsComesAndGoes) {
  TakeUp({});
  Wide(100, {{"p.a"}});
  Pump();
  Change(2, {"p.*"}, {});
  Wide(101, {{"p.a"}});
  EXPECT_THAT(Pump(), ElementsAre("1:101 1#11<=101 interest 2 after 100"));
  Change(3, {"p.a"}, {"p.*"});
  Wide(102, {{"p.a"}});
  Wide(103, {{"p.b"}});
  EXPECT_THAT(Pump(), ElementsAre("1:102 1#11<=103 interest 3 after 101"));
  core_->OnInterest(1, FullInterest(4, {"p.b*"}));
  Wide(104, {{"p.a"}});
  Wide(105, {{"p.bc"}});
  EXPECT_THAT(Pump(), ElementsAre("1:105 1#11<=105 interest 4 after 103"));
}

TEST_F(ShardPatterns, HistoryIsOfAllChannelsThatMatchByOffset) {
  TakeUp({});
  Wide(100, {{"p.a"}});
  Wide(101, {{"q.a"}});
  Wide(102, {{"p.b"}});
  Wide(103, {{"q.a", "p.c"}});
  Wide(105, {{"p.a"}});
  Pump();
  core_->ReadHistory(1, "p.*", {At(1, 100)}, {At(1, 0)}, now_);
  EXPECT_EQ(Read(1), "102:p.b 103:q.a,p.c 105:p.a");
  EXPECT_EQ(sink_.reads[1].as_of.at(0).offset(), 105);
  core_->ReadHistory(2, "none.*", {At(1, 100)}, {At(1, 0)}, now_);
  EXPECT_EQ(Read(2), "");
  EXPECT_EQ(sink_.reads[2].as_of.at(0).offset(), 105);
}

TEST_F(ShardPatterns, OfARecordThereIsOneEvent) {
  TakeUp({});
  Wide(100, {{"q.a"}, {"p.b", "p.c"}, {"p.a"}});
  Pump();
  core_->ReadHistory(1, "p.*", {At(1, 99)}, {At(1, 0)}, now_);
  EXPECT_EQ(Read(1), "100:p.b,p.c");
}

TEST_F(ShardPatterns, HistoryIsBoundedByWhatIsLookedAt) {
  ShardCore::Options options;
  options.history_records = 3;
  Build(options);
  TakeUp({});
  for (int64_t offset = 100; offset < 107; ++offset) Wide(offset, {{"q.a"}});
  Wide(107, {{"p.a"}});
  Pump();
  core_->ReadHistory(1, "p.*", {At(1, 99)}, {At(1, 0)}, now_);
  EXPECT_EQ(Read(1), "");
  EXPECT_EQ(sink_.reads[1].as_of.at(0).offset(), 102) << "as far as was looked";
  core_->ReadHistory(2, "p.*", {At(1, 105)}, {At(1, 0)}, now_);
  EXPECT_EQ(Read(2), "107:p.a");
  EXPECT_EQ(sink_.reads[2].as_of.at(0).offset(), 107);
}

// Whatever was evicted last may have been one of its channels.
TEST_F(ShardPatterns, BelowTheFloorKafkaIsReadAgain) {
  Build(SmallLog(2));
  TakeUp({});
  for (int64_t offset : {100, 101, 102, 103}) {
    core_->OnLiveRecord(1, KeyedRecord(offset, offset == 100 ? "p.a" : "q.a", "k", "{}", 1), now_);
    Pump();
  }
  core_->ReadHistory(1, "p.a", {At(1, 100)}, {At(1, 0)}, now_);
  EXPECT_EQ(Answer(1), " as of 103 complete") << "none of the channel was evicted since";
  core_->ReadHistory(2, "p.*", {At(1, 100)}, {At(1, 0)}, now_);
  EXPECT_EQ(Answer(2), "none yet");
  Pump();
  EXPECT_THAT(source_.Take(), ElementsAre("scan 1 from 101"));
  core_->OnScanRecord(1, KeyedRecord(101, "p.b", "k", "{}", 1), now_);
  core_->Pump(now_);
  EXPECT_EQ(Read(2), "101:p.b");
  core_->ReadHistory(3, "p.*", {At(1, 102)}, {At(1, 0)}, now_);
  EXPECT_EQ(Answer(3), " as of 103 complete");
}

TEST_F(ShardPatterns, ASnapshotHasTheLatestOfEachKeyOfEachChannel) {
  TakeUp({});
  AtTheEnd(100);
  core_->OnScanEnd(1, 100, now_);
  Wide(100, {{"p.a"}}, "k1");
  Wide(101, {{"p.a"}}, "k2");
  Wide(102, {{"p.b"}}, "k1");
  Wide(103, {{"p.a"}}, "k1");
  Wide(104, {{"q.a"}}, "k1");
  core_->ReadSnapshot(1, "p.*", {At(1, 104)}, now_);
  EXPECT_EQ(Read(1, /*sorted=*/true), "101:p.a 102:p.b 103:p.a");
  EXPECT_TRUE(sink_.reads[1].complete);
}

// What followed live would have: the frame of a record is that of its first channel.
TEST_F(ShardPatterns, InASnapshotARecordCountsForItsFirstChannel) {
  TakeUp({});
  AtTheEnd(100);
  core_->OnScanEnd(1, 100, now_);
  Wide(100, {{"p.a", "p.b"}}, "k1");
  Wide(101, {{"p.a"}}, "k1");
  Wide(102, {{"p.c"}, {"p.d"}}, "k2");
  Wide(103, {{"q.a"}, {"p.e"}}, "k3");
  core_->ReadSnapshot(1, "p.*", {At(1, 103)}, now_);
  EXPECT_EQ(Read(1, /*sorted=*/true), "101:p.a 102:p.c 103:p.e");
  core_->ReadSnapshot(2, "**", {At(1, 103)}, now_);
  EXPECT_EQ(Read(2, /*sorted=*/true), "101:p.a 102:p.c 103:q.a");
}

TEST_F(ShardPatterns, ForgetsWhichChannelsMatchAtTheBound) {
  TakeUp({"p.*"});
  for (int64_t n = 0; n < static_cast<int64_t>(WantedChannels::kMostChannels) + 2; ++n) {
    core_->OnLiveRecord(1, KeyedRecord(100 + n, absl::StrCat("q.", n), "k", "{}", 1), now_);
  }
  EXPECT_THAT(Pump(), IsEmpty());
  EXPECT_EQ(core_->counters().patterns_forgotten, 0u);
  Pass(std::chrono::milliseconds(1'000));
  EXPECT_EQ(core_->counters().patterns_forgotten, 1u);
  sink_.Take(1);
  core_->OnBatchTaken(1);
  Wide(9'000, {{"p.a"}});
  EXPECT_THAT(Pump(), ElementsAre("1:9000 1#11<=9000"));
}

}  // namespace
}  // namespace spillway::ingest
