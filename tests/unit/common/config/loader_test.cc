#include "common/config/loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/config/print.h"
#include "tests/unit/common/config/fake_environment.h"

namespace spillway::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr char kEdge[] = R"(
edge:
  ingests: {addresses: [localhost:7400]}
  endpoints:
    - auth: {secret: "sesame$$"}
)";

class LoaderTest : public testing::Test {
 protected:
  Loaded Good(const Sources& sources) {
    auto loaded = Load(sources, environment_);
    EXPECT_TRUE(loaded.ok()) << loaded.status().message();
    return loaded.ok() ? *std::move(loaded) : Loaded();
  }
  Loaded GoodText(const std::string& text) {
    environment_.files["f.yaml"] = text;
    Sources sources;
    sources.files = {"f.yaml"};
    return Good(sources);
  }
  FakeEnvironment environment_;
};

TEST_F(LoaderTest, NothingIsEmpty) {
  const Loaded loaded = Good({});
  EXPECT_FALSE(loaded.config.has_edge());
  EXPECT_FALSE(loaded.config.has_ingest());
}

TEST_F(LoaderTest, DefaultsEverywhere) {
  const v1::Config config = GoodText(kEdge).config;
  EXPECT_FALSE(config.has_ingest());
  const v1::EdgeConfig& edge = config.edge();
  EXPECT_EQ(edge.listen(), "0.0.0.0:8080");
  EXPECT_EQ(edge.limits().max_message_bytes(), 65536);
  EXPECT_EQ(edge.log().level(), v1::LOG_LEVEL_INFO);
  EXPECT_FALSE(edge.has_tls());
  ASSERT_EQ(edge.endpoints_size(), 1);
  EXPECT_EQ(edge.endpoints(0).path(), "/ws") << "also in list elements";
  EXPECT_EQ(edge.endpoints(0).heartbeat().interval(), 30000);
  EXPECT_TRUE(edge.endpoints(0).auth().required());
  EXPECT_EQ(edge.endpoints(0).auth().secret(), "sesame$");
  EXPECT_EQ(edge.endpoints(0).dialect(), v1::DIALECT_JSON);
}

TEST_F(LoaderTest, AnEmptySectionIsThere) {
  const v1::Config config = GoodText("ingest:\n").config;
  ASSERT_TRUE(config.has_ingest());
  EXPECT_EQ(config.ingest().limits().batch_bytes(), 1 << 20);
  EXPECT_EQ(config.ingest().catalogue_refresh(), 10000);
  EXPECT_EQ(config.ingest().beat_interval(), 500);
  EXPECT_EQ(config.ingest().linger(), 60000);
}

TEST_F(LoaderTest, TypesUnitsAndMaps) {
  const v1::IngestConfig ingest = GoodText(R"(
ingest:
  shards: 3
  linger: 1.5s
  beat_interval: 250
  limits: {max_event_bytes: 2MiB}
  kafka: {properties: {security.protocol: SSL, linger.ms: 5}}
  publish: {enabled: no}
  log: {level: debug}
  routes:
    - name: ticks
      topics: market.ticks
      emit: [{channels: "price:{/symbol}", when: [{source: /a, exists: false}]}]
)")
                                      .config.ingest();
  EXPECT_EQ(ingest.shards(), 3);
  EXPECT_EQ(ingest.linger(), 1500);
  EXPECT_EQ(ingest.beat_interval(), 250);
  EXPECT_EQ(ingest.limits().max_event_bytes(), 2 << 20);
  EXPECT_EQ(ingest.kafka().properties().at("security.protocol"), "SSL");
  EXPECT_EQ(ingest.kafka().properties().at("linger.ms"), "5");
  EXPECT_FALSE(ingest.publish().enabled());
  EXPECT_EQ(ingest.log().level(), v1::LOG_LEVEL_DEBUG);
  EXPECT_THAT(ingest.routes(0).topics(), ElementsAre("market.ticks"));
  EXPECT_THAT(ingest.routes(0).emit(0).channels(), ElementsAre("price:{/symbol}"));
  EXPECT_TRUE(ingest.routes(0).emit(0).when(0).has_exists());
}

TEST_F(LoaderTest, Environment) {
  environment_.variables = {
      {"PORT", "3003"}, {"KAFKA_BROKERS", "a:1,b:2"}, {"INGESTS", "a:1, b:2"}};
  environment_.files["/run/secret"] = "from-file\n";
  const v1::Config config = GoodText(R"(
ingest: {kafka: {brokers: "${KAFKA_BROKERS}", client_id: "${CLIENT:-}"}}
edge:
  listen: 0.0.0.0:${PORT:-80}
  threads: ${THREADS:-}
  ingests: {addresses: "${INGESTS}"}
  endpoints: [{auth: {secret: "${file:/run/secret}"}}]
)")
                                .config;
  EXPECT_EQ(config.ingest().kafka().brokers(), "a:1,b:2");
  EXPECT_EQ(config.ingest().kafka().client_id(), "spillway") << "empty counts as absent";
  EXPECT_EQ(config.edge().listen(), "0.0.0.0:3003");
  EXPECT_EQ(config.edge().threads(), 0);
  EXPECT_THAT(config.edge().ingests().addresses(), ElementsAre("a:1", "b:2"));
  EXPECT_EQ(config.edge().endpoints(0).auth().secret(), "from-file");
}

TEST_F(LoaderTest, PresetsFilesOverridesInThisOrder) {
  environment_.files = {
      {"presets/base.yaml",
       std::string(kEdge) + "  threads: 1\n  listen: p:1\n  node_id: preset\n"},
      {"a.yaml", "edge:\n  threads: 2\n  listen: a:1\n  limits: {max_connections: 5}\n"},
      {"b.yaml", "edge:\n  threads: 3\n  limits: {max_subscriptions: 6}\n  admin:\n"}};
  Sources sources;
  sources.preset_folders = {"presets"};
  sources.presets = {"base"};
  sources.files = {"a.yaml", "b.yaml"};
  sources.overrides = {"edge.threads=4", "edge.ingests.addresses=[x:1, y:2]",
                       "edge.endpoints[0].path=/other",
                       "ingest.kafka.properties.security.protocol=SSL"};
  const Loaded loaded = Good(sources);
  const v1::EdgeConfig& edge = loaded.config.edge();
  EXPECT_EQ(edge.threads(), 4);
  EXPECT_EQ(edge.listen(), "a:1");
  EXPECT_EQ(edge.node_id(), "preset");
  EXPECT_EQ(edge.limits().max_connections(), 5);
  EXPECT_EQ(edge.limits().max_subscriptions(), 6) << "mappings merge";
  EXPECT_THAT(edge.ingests().addresses(), ElementsAre("x:1", "y:2")) << "lists replace";
  EXPECT_EQ(edge.endpoints(0).path(), "/other");
  EXPECT_EQ(edge.endpoints(0).auth().secret(), "sesame$");
  EXPECT_EQ(loaded.config.ingest().kafka().properties().at("security.protocol"), "SSL");
  EXPECT_EQ(loaded.locations.Describe("edge.limits.max_connections"),
            "a.yaml:4: edge.limits.max_connections");
  EXPECT_EQ(loaded.locations.Describe("edge.threads"), "--set edge.threads: edge.threads");
  EXPECT_EQ(loaded.locations.Describe("edge.endpoints[0].auth.issuer"),
            "presets/base.yaml:5: edge.endpoints[0].auth.issuer")
      << "the nearest key that was given";
}

TEST_F(LoaderTest, AliasesWork) {
  const v1::Config config = GoodText(R"(
ingest:
  routes:
    - {name: a, topics: [t], emit: &emit [{channels: [c]}]}
    - {name: b, topics: [u], emit: *emit}
)")
                                .config;
  EXPECT_EQ(config.ingest().routes(1).emit(0).channels(0), "c");
}

TEST_F(LoaderTest, PrintedConfigurationMasksSecretsAndReadsBack) {
  const v1::Config config = GoodText(std::string(kEdge) + R"(
  metrics: {names: {a: 'x"y$${z}'}}
  admin: {bearer_token: hush}
ingest:
  kafka: {properties: {sasl.password: hush, security.protocol: SSL}}
  linger: 90s
)")
                                .config;
  const std::string printed = PrintConfig(config);
  EXPECT_THAT(printed, Not(HasSubstr("hush")));
  EXPECT_THAT(printed, Not(HasSubstr("sesame")));
  EXPECT_THAT(printed, HasSubstr("linger: 90s"));
  v1::Config masked = config;
  masked.mutable_edge()->mutable_admin()->set_bearer_token("***");
  masked.mutable_edge()->mutable_endpoints(0)->mutable_auth()->set_secret("***");
  (*masked.mutable_ingest()->mutable_kafka()->mutable_properties())["sasl.password"] = "***";
  EXPECT_EQ(GoodText(printed).config.DebugString(), masked.DebugString());
}

TEST_F(LoaderTest, WarnsAboutIgnoredEnvironment) {
  environment_.variables = {{"REDIS_URL", "x"}, {"REDIS_PORT", "1"}, {"OTHER", ""}, {"PREDIS", ""}};
  const Loaded loaded =
      GoodText(std::string(kEdge) + "  environment: {ignored: [REDIS_*, UNSET]}\n");
  EXPECT_THAT(ValidateEnvironment(loaded.config, environment_),
              ElementsAre("environment variable REDIS_PORT is set, but has no effect in Spillway",
                          "environment variable REDIS_URL is set, but has no effect in Spillway"));
}

TEST_F(LoaderTest, RequiredSections) {
  environment_.files["f.yaml"] = "ingest:\n";
  Sources sources;
  sources.files = {"f.yaml"};
  sources.sections = {"edge"};
  EXPECT_EQ(Load(sources, environment_).status().message(),
            "f.yaml: edge: this section is needed here, but missing");
  sources.sections = {"ingest"};
  EXPECT_TRUE(Load(sources, environment_).ok());
}

TEST_F(LoaderTest, AnotherTiersSecretsMayBeMissing) {
  environment_.files["both.yaml"] = R"(
ingest: {kafka: {brokers: "${BROKERS:-b:1}"}}
edge:
  ingests: {addresses: [i:1]}
  endpoints: [{auth: {secret: "${SECRET:?set it}"}, heartbeat: {interval: "${EVERY}"}}]
)";
  Sources sources;
  sources.files = {"both.yaml"};
  sources.sections = {"edge"};
  EXPECT_THAT(std::string(Load(sources, environment_).status().message()),
              HasSubstr("environment variable SECRET is not set: set it"));
  sources.sections = {"ingest"};
  const auto loaded = Load(sources, environment_);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->config.edge().endpoints(0).auth().secret(), "");
  EXPECT_EQ(loaded->config.edge().endpoints(0).heartbeat().interval(), 30'000);

  environment_.files["both.yaml"] += "  thread: 1\n";  // what is given is checked all the same
  EXPECT_THAT(std::string(Load(sources, environment_).status().message()),
              HasSubstr("unknown key; did you mean \"threads\"?"));
}

TEST(LocationsTest, GiveMessagesTheirPlace) {
  Locations locations;
  locations.Set("edge.tls", {.source = "f.yaml", .line = 7});
  EXPECT_EQ(locations.Locate("edge.tls.key_file: it is no key: really"),
            "f.yaml:7: edge.tls.key_file: it is no key: really");
  EXPECT_EQ(locations.Locate("ingest.x: why"), "ingest.x: why");
  EXPECT_EQ(locations.Locate("no key at all"), "no key at all");
}

}  // namespace
}  // namespace spillway::config
