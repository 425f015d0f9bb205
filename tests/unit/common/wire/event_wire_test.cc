#include "common/wire/event_wire.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "spillway/v1/link.pb.h"

namespace spillway::wire {
namespace {

std::string RandomText(std::mt19937& random, size_t most) {
  std::string text(random() % (most + 1), ' ');
  for (char& c : text) c = static_cast<char>('a' + random() % 26);
  return text;
}

// Small, large and negative numbers alike: every varint length occurs.
uint64_t RandomNumber(std::mt19937& random) {
  const uint64_t wide = (static_cast<uint64_t>(random()) << 32) | random();
  return wide >> (random() % 64);
}

v1::Event RandomEvent(std::mt19937& random) {
  v1::Event event;
  event.set_slot(static_cast<uint32_t>(RandomNumber(random)));
  event.set_offset(static_cast<int64_t>(RandomNumber(random)));
  for (size_t n = random() % 4; n > 0; --n) event.add_channels(RandomText(random, 20));
  event.set_type(RandomText(random, 10));
  event.set_key(RandomText(random, 10));
  event.set_event_time_us(-static_cast<int64_t>(RandomNumber(random) >> 1));
  event.set_payload(RandomText(random, 400));
  event.set_encoding(static_cast<v1::PayloadEncoding>(random() % 4));
  event.set_priority(static_cast<v1::Priority>(random() % 4));
  event.set_trace_id(RandomText(random, 8));
  event.set_tombstone(random() % 2 == 0);
  return event;
}

EventView ViewOf(const v1::Event& event) {
  EventView view;
  view.slot = event.slot();
  view.offset = event.offset();
  for (const std::string& channel : event.channels()) view.channels.push_back(channel);
  view.type = event.type();
  view.key = event.key();
  view.event_time_us = event.event_time_us();
  view.payload = event.payload();
  view.encoding = event.encoding();
  view.priority = event.priority();
  view.trace_id = event.trace_id();
  view.tombstone = event.tombstone();
  return view;
}

void ExpectSame(const EventView& view, const v1::Event& event) {
  EXPECT_EQ(view.slot, event.slot());
  EXPECT_EQ(view.offset, event.offset());
  ASSERT_EQ(static_cast<int>(view.channels.size()), event.channels_size());
  for (int i = 0; i < event.channels_size(); ++i) {
    EXPECT_EQ(view.channels[static_cast<size_t>(i)], event.channels(i));
  }
  EXPECT_EQ(view.type, event.type());
  EXPECT_EQ(view.key, event.key());
  EXPECT_EQ(view.event_time_us, event.event_time_us());
  EXPECT_EQ(view.payload, event.payload());
  EXPECT_EQ(view.encoding, static_cast<int>(event.encoding()));
  EXPECT_EQ(view.priority, static_cast<int>(event.priority()));
  EXPECT_EQ(view.trace_id, event.trace_id());
  EXPECT_EQ(view.tombstone, event.tombstone());
}

TEST(EventWire, WritesWhatTheGeneratedCodeReads) {
  std::mt19937 random(1);
  for (int round = 0; round < 500; ++round) {
    v1::Batch expected;
    std::string bytes;
    for (size_t n = random() % 5; n > 0; --n) {
      v1::Event event = RandomEvent(random);
      AppendBatchEvent(ViewOf(event), &bytes);
      *expected.add_events() = event;
    }
    ProgressView progress{.slot = 7,
                          .attach_id = RandomNumber(random),
                          .upto = -1,
                          .fingerprint = static_cast<uint32_t>(random() % 65536),
                          .interest_sequence = random() % 3,
                          .interest_after = static_cast<int64_t>(random()),
                          .fingerprint_back = random() % 200};
    AppendBatchProgress(progress, &bytes);
    v1::Progress* entry = expected.add_progress();
    entry->set_slot(progress.slot);
    entry->set_attach_id(progress.attach_id);
    entry->set_upto(progress.upto);
    entry->set_fingerprint(progress.fingerprint);
    entry->set_interest_sequence(progress.interest_sequence);
    entry->set_interest_after(progress.interest_after);
    entry->set_fingerprint_back(progress.fingerprint_back);

    v1::LinkResponse response;
    const std::string message = LinkBatchHeader(bytes.size()) + bytes;
    ASSERT_TRUE(response.ParseFromString(message));
    EXPECT_EQ(response.batch().SerializeAsString(), expected.SerializeAsString());
    ASSERT_TRUE(BatchOfLinkResponse(message).has_value());
    EXPECT_EQ(*BatchOfLinkResponse(message), bytes);
  }
}

TEST(EventWire, ChannelsOfAnElementAreReadAlone) {
  std::mt19937 random(20261122);
  ChannelViews channels;
  for (int i = 0; i < 2'000; ++i) {
    const v1::Event event = RandomEvent(random);
    std::string element;
    AppendBatchEvent(ViewOf(event), &element);
    ASSERT_TRUE(ParseBatchEventChannels(element, &channels));
    ASSERT_EQ(std::vector<std::string>(channels.begin(), channels.end()),
              std::vector<std::string>(event.channels().begin(), event.channels().end()));
    // Damaged, it may be read as another; it is not read beyond its end.
    element[random() % element.size()] ^= static_cast<char>(1 << random() % 8);
    const std::string damaged(element.data(), element.size() - random() % 3);
    ParseBatchEventChannels(damaged, &channels);
  }
}

TEST(EventWire, WritesEphemeralEventsAsTheGeneratedCodeReadsThem) {
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    v1::EphemeralBatch expected;
    expected.set_first(round == 0 ? 1 : RandomNumber(random));
    std::string events;
    for (size_t n = random() % 5; n > 0; --n) {
      *expected.add_events() = RandomEvent(random);
      AppendEphemeralEvent(expected.events().rbegin()->SerializeAsString(), &events);
    }
    v1::LinkResponse response;
    ASSERT_TRUE(
        response.ParseFromString(LinkEphemeralHeader(expected.first(), events.size()) + events));
    EXPECT_EQ(response.ephemeral().SerializeAsString(), expected.SerializeAsString());
  }
}

TEST(EventWire, ReadsWhatTheGeneratedCodeWrites) {
  std::mt19937 random(2);
  for (int round = 0; round < 500; ++round) {
    v1::Batch batch;
    for (size_t n = random() % 5; n > 0; --n) *batch.add_events() = RandomEvent(random);
    batch.add_progress()->set_upto(static_cast<int64_t>(RandomNumber(random)));
    const std::string bytes = batch.SerializeAsString();

    BatchReader reader(bytes);
    ProgressView progress;
    std::string_view event_bytes;
    ASSERT_EQ(reader.Next(&progress, &event_bytes), BatchReader::Kind::kProgress);
    EXPECT_EQ(progress.upto, batch.progress(0).upto());
    for (const v1::Event& event : batch.events()) {
      ASSERT_EQ(reader.Next(&progress, &event_bytes), BatchReader::Kind::kEvent);
      EventView view;
      ASSERT_TRUE(ParseEvent(event_bytes, &view));
      ExpectSame(view, event);
    }
    EXPECT_EQ(reader.Next(&progress, &event_bytes), BatchReader::Kind::kEnd);
  }
}

TEST(EventWire, OtherMessagesAreNoBatch) {
  v1::LinkResponse response;
  response.mutable_beat()->set_kafka_up(true);
  EXPECT_FALSE(BatchOfLinkResponse(response.SerializeAsString()).has_value());
  EXPECT_FALSE(BatchOfLinkResponse("").has_value());
}

// Whatever the bytes, reading ends, stays inside them and never reports more than was there.
TEST(EventWire, SurvivesDamagedBytes) {
  std::mt19937 random(3);
  for (int round = 0; round < 2000; ++round) {
    v1::Batch batch;
    for (size_t n = 1 + random() % 3; n > 0; --n) *batch.add_events() = RandomEvent(random);
    std::string bytes = batch.SerializeAsString();
    for (size_t n = 1 + random() % 4; n > 0; --n) {
      bytes[random() % bytes.size()] = static_cast<char>(random() & 0xFF);
    }
    bytes.resize(random() % (bytes.size() + 1));
    BatchReader reader(bytes);
    ProgressView progress;
    std::string_view event_bytes;
    for (size_t steps = 0;; ++steps) {
      ASSERT_LE(steps, bytes.size() + 1);
      const BatchReader::Kind kind = reader.Next(&progress, &event_bytes);
      if (kind == BatchReader::Kind::kEnd || kind == BatchReader::Kind::kMalformed) break;
      EventView view;
      if (kind == BatchReader::Kind::kEvent) ParseEvent(event_bytes, &view);
    }
  }
}

TEST(EventWire, RefusesATruncatedEvent) {
  v1::Event event;
  event.set_type("market_price");
  const std::string bytes = event.SerializeAsString();
  EventView view;
  ASSERT_TRUE(ParseEvent(bytes, &view));
  for (size_t size = 1; size < bytes.size(); ++size) {
    EXPECT_FALSE(ParseEvent(std::string_view(bytes).substr(0, size), &view)) << size;
  }
}

}  // namespace
}  // namespace spillway::wire
