#include "services/ingest/normalise/normaliser.h"

#include "spillway/v1/event.pb.h"
#include "tests/unit/services/ingest/normalise/route_fixture.h"

namespace spillway::ingest {
namespace {

using std::string_literals::operator""s;
using NormaliserTest = RouteFixture;

constexpr char kTicks[] = R"(- name: ticks
  topics: [market.btc]
  emit:
    - channels: ["price:{/symbol|key}"]
      type: "{topic.2}"
      type_map: {btc: market_price}
      key: "{/symbol|key}"
      event_time: {source: /ts, format: ms}
      priority: "{/p}"
      priority_map: {urgent: high}
      trace_id: "{header.trace|/trace}")";

TEST_F(NormaliserTest, WholePayloadIsTheRecordsBytes) {
  Use(kTicks, "market.btc");
  const std::string value =
      R"({ "symbol":"BTC", "price":1.10,"ts":1769846400250,"p":"urgent","trace":"t1" })";
  EXPECT_EQ(Run(value), "price:BTC market_price BTC " + value);
  EXPECT_EQ(events_[0].event.payload.data(), value.data()) << "not copied";
  EXPECT_EQ(events_[0].event.encoding, v1::PAYLOAD_ENCODING_JSON);
  EXPECT_EQ(events_[0].event.event_time_us, 1769846400250000);
  EXPECT_EQ(events_[0].event.priority, v1::PRIORITY_HIGH);
  EXPECT_EQ(events_[0].event.trace_id, "t1");
  EXPECT_FALSE(events_[0].event.tombstone);
}

TEST_F(NormaliserTest, AbsentMetadataHasDefaults) {
  Use(kTicks, "market.btc");
  EXPECT_EQ(Run("{}", "ETH"), "price:ETH market_price ETH {}");
  EXPECT_EQ(events_[0].event.event_time_us, 1000000) << "the record's timestamp";
  EXPECT_EQ(events_[0].event.priority, v1::PRIORITY_UNSPECIFIED);
  EXPECT_EQ(events_[0].event.trace_id, "");
  EXPECT_EQ(Run(R"({"ts":"soon","p":"medium"})", "ETH", {{"trace", "h"}}),
            R"(price:ETH market_price ETH {"ts":"soon","p":"medium"})");
  EXPECT_EQ(events_[0].event.event_time_us, 1000000);
  EXPECT_EQ(events_[0].event.priority, v1::PRIORITY_MEDIUM);
  EXPECT_EQ(events_[0].event.trace_id, "h");
  EXPECT_TRUE(route_->needs_headers);
}

TEST_F(NormaliserTest, Rejections) {
  Use(kTicks, "market.btc", "  limits: {max_event_bytes: 1KiB}\n");
  EXPECT_EQ(Run("{").substr(0, 26), "rejected undecodable_json:");
  EXPECT_EQ(Run("{\"a\":NaN}"),
            "rejected undecodable_json:a value is neither a number, true, false nor null");
  EXPECT_EQ(Run(""), "rejected undecodable_json:empty");
  EXPECT_EQ(Run("{}"), "rejected missing_field:/symbol|key");
  EXPECT_EQ(Run(R"({"symbol":"a\nb"})"), "rejected bad_channel:price:a\nb");
  EXPECT_EQ(Run(R"({"symbol":"a..b"})"), "rejected bad_channel:price:a..b");
  EXPECT_EQ(Run("{}", "\xff"), "rejected bad_channel:price:\xff");
  EXPECT_EQ(Run("\"" + std::string(2000, 'x') + "\"", "k"), "rejected oversized");
  EXPECT_EQ(Run("{}", "k"), "price:k market_price k {}") << "and it goes on";
}

// An edge takes what a record yields in one, and no more than it can hold.
TEST_F(NormaliserTest, RejectsARecordWhoseEventsTogetherAreTooLarge) {
  constexpr char kEmits[] =
      "- {name: a, topics: [t], decode: {format: raw}, emit: [{channels: [a]}, {channels: [b]}]}";
  const auto limits = "  limits: {max_event_bytes: 48MiB}\n";
  Use(kEmits, "t", limits);
  EXPECT_EQ(Run(std::string(31 << 20, 'x')), "rejected oversized:its events together");
  EXPECT_EQ(Run(std::string(29 << 20, 'x')).substr(0, 9), "a event  ");
}

TEST_F(NormaliserTest, KeysThatAreNoTextAreDroppedUnlessSnapshotsNeedThem) {
  Use("- {name: a, topics: [t], emit: [{channels: [c]}]}", "t");
  EXPECT_EQ(Run("{}", "\xff\xfe"), "c event  {}");
  EXPECT_EQ(Run("{}", "k"), "c event k {}");
  Use("- {name: a, topics: [t], emit: [{channels: [c], snapshot: {mode: by_key}}]}", "t");
  EXPECT_EQ(Run("{}", "\xff\xfe"), "rejected bad_key");
  EXPECT_EQ(Run("{}"), "rejected missing_field:key");
}

TEST_F(NormaliserTest, ConditionsAndDedupe) {
  Use(R"(- name: trades
  topics: [trades]
  emit:
    - channels: ["user:{/userId}"]
      when: [{source: /userId, exists: true}, {source: /kind, equals: [buy, sell]}]
      type: trade
      payload: {add: {personal: "true"}}
    - channels: ["trade:{/symbol}", "user:{/owner}"]
      optional: true
      type: trade)",
      "trades");
  EXPECT_EQ(
      Run(R"({"symbol":"X","userId":"7","kind":"buy"})", "k"),
      "user:7 trade k {\"symbol\":\"X\",\"userId\":\"7\",\"kind\":\"buy\",\"personal\":true}\n"
      "trade:X trade k {\"symbol\":\"X\",\"userId\":\"7\",\"kind\":\"buy\"}");
  EXPECT_EQ(Run(R"({"symbol":"X","userId":"7","kind":"gift"})"),
            "trade:X trade  {\"symbol\":\"X\",\"userId\":\"7\",\"kind\":\"gift\"}");
  EXPECT_EQ(Run(R"({"symbol":"X","userId":null,"kind":"buy"})"),
            "trade:X trade  {\"symbol\":\"X\",\"userId\":null,\"kind\":\"buy\"}");
  EXPECT_EQ(Run(R"({"userId":"7","kind":"buy","owner":"7"})"),
            "user:7 trade  {\"userId\":\"7\",\"kind\":\"buy\",\"owner\":\"7\",\"personal\":true}")
      << "a channel is fed once by a record";
  EXPECT_EQ(Run("{}"), "") << "nobody's, and not an error";
}

TEST_F(NormaliserTest, Tombstones) {
  Use(R"(- name: state
  topics: [state]
  emit:
    - {channels: ["s:{key}"], snapshot: {mode: latest}}
    - {channels: [all], snapshot: {mode: by_key, horizon: 10m}, when: [{source: /x, equals: ["1"]}]}
    - {channels: ["field:{/x}"], snapshot: {mode: latest}}
    - {channels: [live]})",
      "state");
  EXPECT_EQ(Run(std::nullopt, "k"), "s:k event k TOMBSTONE\nall event k TOMBSTONE");
  EXPECT_EQ(events_[0].snapshot, SnapshotMode::kLatest);
  EXPECT_EQ(events_[1].snapshot, SnapshotMode::kByKey);
  EXPECT_EQ(Run(std::nullopt), "") << "no key, nothing to remove";
  EXPECT_EQ(Run(R"({"x":2})", "k"),
            "s:k event k {\"x\":2}\nfield:2 event k {\"x\":2}\nlive event k {\"x\":2}");
}

TEST_F(NormaliserTest, Raw) {
  Use("- {name: r, topics: [t], decode: {format: raw}, emit: [{channels: ['r:{key}']}]}", "t");
  EXPECT_EQ(Run("not json", "k"), "r:k event k not json");
  EXPECT_EQ(events_[0].event.encoding, v1::PAYLOAD_ENCODING_TEXT);
  EXPECT_EQ(Run("\xff\x01", "k"), "r:k event k \xff\x01");
  EXPECT_EQ(events_[0].event.encoding, v1::PAYLOAD_ENCODING_BINARY);
  EXPECT_EQ(Run("", "k"), "r:k event k ");
}

TEST_F(NormaliserTest, ConfluentFraming) {
  Use("- {name: r, topics: [t], decode: {framing: confluent}, emit: [{channels: ['r:{/a}']}]}",
      "t");
  EXPECT_EQ(Run("\0\0\0\0\1{\"a\":1}"s), "r:1 event  {\"a\":1}");
  EXPECT_EQ(Run("{\"a\":1}"), "rejected bad_framing");
  EXPECT_EQ(Run("\0\0"s), "rejected bad_framing");
}

TEST_F(NormaliserTest, BadTypes) {
  Use("- {name: r, topics: [t], emit: [{channels: [c], type: '{/t}'}]}", "t");
  EXPECT_EQ(Run(R"({"t":"x"})"), R"(c x  {"t":"x"})");
  EXPECT_EQ(Run("{}"), "rejected missing_field:/t");
  EXPECT_EQ(Run("{\"t\":\"" + std::string(300, 'x') + "\"}"), "rejected bad_type");
}

TEST_F(NormaliserTest, SeparatorsInValuesAreCoveredByFeeds) {
  Use(kTicks, "market.btc");
  EXPECT_EQ(Run(R"({"symbol":"BTC/USD"})"),
            "price:BTC/USD market_price BTC/USD {\"symbol\":\"BTC/USD\"}");
  EXPECT_EQ(route_->feeds, (std::vector<Feed>{{"price:**", SnapshotMode::kNone, std::nullopt}}));
}

TEST_F(NormaliserTest, BigAndSmallRecordsTakeTurns) {
  Use("- {name: r, topics: [t], emit: [{channels: ['r:{/a}'], payload: {drop: [/z]}}]}", "t");
  const std::string big = "{\"a\":1,\"b\":\"" + std::string(5 << 20, 'x') + "\"}";
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Run(big), "r:1 event  " + big);
    EXPECT_EQ(Run(R"({"a":2,"z":0})"), R"(r:2 event  {"a":2})");
  }
}

}  // namespace
}  // namespace spillway::ingest
