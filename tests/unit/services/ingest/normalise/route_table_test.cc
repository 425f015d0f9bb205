#include "services/ingest/normalise/route_table.h"

#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "tests/unit/services/ingest/normalise/route_fixture.h"

namespace spillway::ingest {
namespace {

using testing::ElementsAre;
using RouteTableTest = RouteFixture;

constexpr char kRoutes[] = R"(- name: ticks
  topics_regex: market-data\.(\w+)-ticks
  emit: [{channels: ["ticks:{topic.match.1}", "{topic.1}.x"], snapshot: {mode: latest, horizon: 10m}}]
- name: exact
  topics: [market-data.btc-ticks, b]
  emit: [{channels: ["user:{/id}"]}, {channels: ["user:{key}"]}]
- name: rest
  topics_regex: .*
  emit: [{channels: [rest]}])";

TEST_F(RouteTableTest, ExactNamesThenTheFirstExpression) {
  const auto table = *Compile(kRoutes);
  EXPECT_EQ(table->Resolve("market-data.eth-ticks")->name, "ticks");
  EXPECT_EQ(table->Resolve("market-data.btc-ticks")->name, "exact");
  EXPECT_EQ(table->Resolve("x.market-data.eth-ticks")->name, "rest") << "the whole name counts";
  EXPECT_EQ(table->Resolve("__consumer_offsets"), nullptr);
  EXPECT_THAT(table->named_topics(), ElementsAre("b", "market-data.btc-ticks"));
}

// Who is blocked, and who did what, is not for clients.
TEST_F(RouteTableTest, NoExpressionTakesTheControlOrTheAuditTopic) {
  const auto table = *Compile(kRoutes, "  control: {topic: blocks}\n  audit: {topic: who.did}\n");
  EXPECT_EQ(table->Resolve("blocks"), nullptr);
  EXPECT_EQ(table->Resolve("who.did"), nullptr);
  EXPECT_EQ(table->Resolve("who.did.2")->name, "rest");
  EXPECT_THAT(table->named_topics(), ElementsAre("b", "market-data.btc-ticks"));
}

TEST_F(RouteTableTest, NoRouteMayNameTheControlOrTheAuditTopic) {
  for (const char* of : {"control", "audit"}) {
    const auto table = Compile("- {name: a, topics: [t, mine], emit: [{channels: [c]}]}",
                               absl::StrCat("  ", of, ": {topic: mine}\n"));
    EXPECT_THAT(std::string(table.status().message()),
                testing::StartsWith("f.yaml:4: ingest.routes[0].topics[1]: topic mine is the "
                                    "control or the audit topic"));
  }
}

TEST_F(RouteTableTest, NoRoute) {
  const auto table = *Compile("- {name: a, topics: [t], emit: [{channels: [c]}]}");
  EXPECT_EQ(table->Resolve("u"), nullptr);
}

TEST_F(RouteTableTest, Feeds) {
  const auto table = *Compile(kRoutes);
  EXPECT_THAT(table->Resolve("market-data.eth-ticks")->feeds,
              ElementsAre(Feed{"ticks:eth", SnapshotMode::kLatest, 600000},
                          Feed{"market-data.x", SnapshotMode::kLatest, 600000}));
  EXPECT_THAT(table->Resolve("b")->feeds,
              ElementsAre(Feed{"user:**", SnapshotMode::kNone, std::nullopt}));
}

TEST_F(RouteTableTest, HashTellsRoutesApart) {
  const uint64_t hash = (*Compile(kRoutes))->hash();
  EXPECT_EQ((*Compile(kRoutes, "  shards: 2\n"))->hash(), hash);
  EXPECT_NE((*Compile(std::string(kRoutes) + "\n- {name: n, topics: [n], emit: [{channels: [c]}]}"))
                ->hash(),
            hash);
}

TEST_F(RouteTableTest, WhatARouteKeepsDiffersWhereItSaysSo) {
  const auto table = Compile(
      "- {name: a, topics: [a], emit: [{channels: [x]}]}\n"
      "- {name: b, topics: [b], history: {age: 2m, reread_records: 0}, emit: [{channels: [x]}]}",
      "  history: {bytes_per_partition: 1MiB, age: 30s, reread_records: 5, catch_up_records: 9}\n");
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ((*table)->Resolve("a")->history.age(), 30'000);
  const v1::HistoryConfig own = (*table)->Resolve("b")->history;
  EXPECT_EQ(own.bytes_per_partition(), 1 << 20);
  EXPECT_EQ(own.age(), 120'000);
  EXPECT_EQ(own.snapshot_bytes(), 64 << 20);
  EXPECT_EQ(own.reread_records(), 0) << "0 is something to say";
  EXPECT_EQ(own.reread_bytes(), 16 << 20);
  EXPECT_EQ(own.catch_up_records(), 9) << "that of all";
}

TEST_F(RouteTableTest, ExampleFileCompiles) {
  config::Sources sources;
  sources.files = {std::string(SPILLWAY_SOURCE_DIR) + "/config/ingest.yaml"};
  const auto loaded = config::Load(sources, config::Environment::Real());
  ASSERT_TRUE(loaded.ok()) << loaded.status().message();
  const auto table =
      RouteTable::Compile(loaded->config.ingest(), loaded->locations, config::Environment::Real());
  ASSERT_TRUE(table.ok()) << table.status().message();
  EXPECT_EQ((*table)->Resolve("orders.emea")->feeds[1].pattern, "orders:emea");
}

struct BadRoute {
  const char* routes;
  const char* lines;
};

const BadRoute kBadRoutes[] = {
    {"- {name: a, topics_regex: 'a(', emit: [{channels: [c]}]}",
     "f.yaml:3: ingest.routes[0].topics_regex: not a regular expression: "},
    {"- {name: a, topics: [t, t], emit: [{channels: [c]}]}",
     "f.yaml:3: ingest.routes[0].topics[1]: topic t is named twice"},
    {"- {name: a, topics: [t], emit: [{channels: [c]}]}\n"
     "- {name: b, topics: [t], emit: [{channels: [c]}]}",
     "f.yaml:4: ingest.routes[1].topics[0]: topic t is named twice, first in route a"},
    {"- name: a\n  topics: [t]\n  emit:\n    - channels:\n        - c\n        - 'x:{/a'",
     "f.yaml:8: ingest.routes[0].emit[0].channels[1]: in \"x:{/a\": a { without its }; write {{ "
     "for a "
     "brace"},
    {"- {name: a, topics: [t], emit: [{channels: ['a..{key}']}]}",
     "f.yaml:3: ingest.routes[0].emit[0].channels[0]: \"a..{key}\" can never be a channel: not a "
     "channel pattern, for a channel name must not have an empty segment (at its ends or between "
     "'.', ':' and '/')"},
    {"- {name: a, topics: [t], emit: [{channels: ['{topic.match.1}']}]}",
     "f.yaml:3: ingest.routes[0].emit[0].channels[0]: in \"{topic.match.1}\": \"topic.match.1\" "
     "names a group, but topics_regex has 0"},
    {"- {name: a, topics: [t], emit: [{channels: [c], priority: urgent, priority_map: {a: b}}]}",
     "f.yaml:3: ingest.routes[0].emit[0].priority_map.a: expected low, normal or high, found "
     "\"b\"\n"
     "f.yaml:3: ingest.routes[0].emit[0].priority: expected low, normal, high or a template, found "
     "\"urgent\""},
    {"- {name: a, topics: [t], emit: [{channels: [c], snapshot: {mode: latest, horizon: soon}}]}",
     "f.yaml:3: ingest.routes[0].emit[0].snapshot.horizon: expected compacted or a duration such "
     "as "
     "10m, found \"soon\""},
    {"- {name: a, topics: [t], emit: [{channels: [c], key: '', snapshot: {mode: by_key}}]}",
     "f.yaml:3: ingest.routes[0].emit[0].snapshot.mode: by_key needs a key template"},
    {"- {name: a, topics: [t], decode: {format: raw}, emit: [{channels: ['{/a}'], payload: {from: "
     "/a}}]}",
     "f.yaml:3: ingest.routes[0].emit[0].channels[0]: in \"{/a}\": \"/a\" is a JSON pointer, but "
     "raw "
     "values are not looked into\n"
     "f.yaml:3: ingest.routes[0].emit[0].payload: raw values are sent whole; decode them as json "
     "or "
     "protobuf to change them"},
    {"- {name: a, topics: [t], emit: [{channels: [c], when: [{source: nothing}], event_time: "
     "{source: "
     "x}}]}",
     "f.yaml:3: ingest.routes[0].emit[0].when[0].source: \"nothing\" is not key, header.NAME, "
     "topic, "
     "topic.N, topic.match.N or a JSON pointer such as /a/b\n"
     "f.yaml:3: ingest.routes[0].emit[0].event_time.source: \"x\" is not key, header.NAME, topic, "
     "topic.N, topic.match.N or a JSON pointer such as /a/b"},
};

TEST_F(RouteTableTest, BadRoutesSayExactly) {
  for (const auto& [routes, lines] : kBadRoutes) {
    const auto table = Compile(routes);
    ASSERT_FALSE(table.ok()) << routes;
    const std::string message(table.status().message());
    if (std::string(lines).ends_with(": ")) {  // what follows is the standard library's wording
      EXPECT_EQ(message.substr(0, std::string(lines).size()), lines);
    } else {
      EXPECT_EQ(message, lines);
    }
  }
}

}  // namespace
}  // namespace spillway::ingest
