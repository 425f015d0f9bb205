#include "services/ingest/shard/record_builder.h"

#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/channel/channel_hash.h"
#include "common/wire/event_wire.h"
#include "tests/unit/services/ingest/normalise/route_fixture.h"

namespace spillway::ingest {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr int64_t kWallUs = 5'000'000'000;

class RecordBuilderTest : public RouteFixture {
 protected:
  void UseEmits(const std::string& emits) {
    Use("- name: r\n  topics: [t]\n  emit: " + emits, "t");
    slot_.info = {.id = 7, .topic = "t", .partition = 3, .keeps_latest = true, .horizon_ms = 0};
    slot_.route = route_;
  }
  NormaliseResult Build(std::optional<std::string_view> value, bool live = true) {
    RecordView record;
    record.offset = offset_++;
    record.timestamp_ms = timestamp_ms_;
    record.key = "key";
    record.value = value;
    return builder_.Build(slot_, record, live, kWallUs, &out_);
  }
  // Its events as "slot:offset channels payload".
  std::vector<std::string> Events() const {
    std::vector<std::string> events;
    for (const LogEvent& logged : out_.record.events) {
      // An element of Batch.events, as batches are made of them.
      wire::ProgressView progress;
      std::string_view bytes;
      wire::EventView event;
      wire::BatchReader reader(out_.record.EventBytes(logged));
      EXPECT_EQ(reader.Next(&progress, &bytes), wire::BatchReader::Kind::kEvent);
      EXPECT_TRUE(wire::ParseEvent(bytes, &event));
      EXPECT_EQ(reader.Next(&progress, &bytes), wire::BatchReader::Kind::kEnd);
      std::vector<uint64_t> hashes;
      std::vector<std::string> channels;
      for (const std::string_view channel : event.channels) {
        hashes.push_back(ChannelHash(channel));
        channels.emplace_back(channel);
      }
      EXPECT_EQ(std::vector<uint64_t>(logged.channels.begin(), logged.channels.end()), hashes);
      events.push_back(absl::StrCat(event.slot, ":", event.offset, " ",
                                    absl::StrJoin(channels, ","), " ",
                                    absl::string_view(event.payload.data(), event.payload.size())));
    }
    return events;
  }
  // Its changes of the latest-table as "channel key event", "-" before a tombstone.
  std::vector<std::string> Latest() const {
    std::vector<std::string> latest;
    for (const LatestUpdate& update : out_.latest) {
      latest.push_back(absl::StrCat(update.tombstone ? "-" : "", update.channel, " '", update.key,
                                    "' ", update.event));
    }
    return latest;
  }

  ShardSlot slot_;
  RecordBuilder builder_;
  NormalisedRecord out_;
  int64_t offset_ = 100;
  int64_t timestamp_ms_ = 1'000;
};

TEST_F(RecordBuilderTest, SerialisesEveryEventOfARecordWithItsSlotAndOffset) {
  UseEmits("[{channels: ['a:{/s}', b]}, {channels: [c], payload: {pick: {s: /s}}}]");
  EXPECT_FALSE(Build(R"({"s":"x","n":1})").rejected.has_value());
  EXPECT_THAT(Events(), ElementsAre(R"(7:100 a:x,b {"s":"x","n":1})", R"(7:100 c {"s":"x"})"));
  EXPECT_EQ(out_.record.offset, 100);
  EXPECT_THAT(Latest(), IsEmpty());
  // What the last record left is gone.
  EXPECT_FALSE(Build(R"({"s":"y"})").rejected.has_value());
  EXPECT_THAT(Events(), ElementsAre(R"(7:101 a:y,b {"s":"y"})", R"(7:101 c {"s":"y"})"));
}

TEST_F(RecordBuilderTest, TellsTheLatestTableWhatToKeepAndUnderWhichKey) {
  UseEmits(
      "[{channels: [none]}, {channels: [one], key: '{key}', snapshot: {mode: latest}},"
      " {channels: [k1, k2], key: '{key}', snapshot: {mode: by_key}}]");
  EXPECT_FALSE(Build("{}").rejected.has_value());
  EXPECT_THAT(Latest(), ElementsAre("one '' 1", "k1 'key' 2", "k2 'key' 2"));
  // A tombstone removes; where there is nothing to remove it is no event.
  EXPECT_FALSE(Build(std::nullopt).rejected.has_value());
  EXPECT_THAT(Latest(), ElementsAre("-one '' 0", "-k1 'key' 1", "-k2 'key' 1"));
}

TEST_F(RecordBuilderTest, ALiveRecordIsAsOldAsItsArrivalAndOneReadBackAsKafkaSays) {
  UseEmits("[{channels: [a]}]");
  Build("{}", /*live=*/true);
  EXPECT_EQ(out_.record.time_us, kWallUs);
  Build("{}", /*live=*/false);
  EXPECT_EQ(out_.record.time_us, 1'000'000);
  timestamp_ms_ = -1;  // the broker gave none
  Build("{}", /*live=*/false);
  EXPECT_EQ(out_.record.time_us, kWallUs);
}

TEST_F(RecordBuilderTest, TheFingerprintIsTheRecords) {
  UseEmits("[{channels: [a]}]");
  Build(R"({"n":1})", /*live=*/true);
  const uint16_t first = out_.record.fingerprint;
  EXPECT_EQ(first, Fingerprint("key", R"({"n":1})", 1'000));
  Build(R"({"n":1})", /*live=*/false);
  EXPECT_EQ(out_.record.fingerprint, first);
  Build(R"({"n":2})");
  EXPECT_NE(out_.record.fingerprint, first);
}

TEST_F(RecordBuilderTest, ARejectedRecordMovesProgressAndYieldsNothing) {
  UseEmits("[{channels: [a], snapshot: {mode: latest}}]");
  Build("{}");
  const NormaliseResult result = Build("{");
  ASSERT_TRUE(result.rejected.has_value());
  EXPECT_EQ(RejectCode(*result.rejected), "undecodable_json");
  EXPECT_EQ(out_.record.offset, 101);
  EXPECT_THAT(Events(), IsEmpty());
  EXPECT_THAT(Latest(), IsEmpty());
  EXPECT_TRUE(out_.record.bytes.empty());
}

TEST_F(RecordBuilderTest, OneLargeRecordDoesNotKeepItsMemory) {
  UseEmits("[{channels: [a]}]");
  Build("\"" + std::string(3 << 20, 'x') + "\"");
  EXPECT_GT(out_.record.bytes.capacity(), 3u << 20);
  Build("{}");
  EXPECT_LT(out_.record.bytes.capacity(), 1u << 20);
}

}  // namespace
}  // namespace spillway::ingest
