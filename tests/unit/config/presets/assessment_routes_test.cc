// The preset `assessment`: what its topics' records become.

#include "services/ingest/normalise/normaliser.h"
#include "services/ingest/normalise/route_table.h"
#include "tests/unit/config/presets/preset_fixture.h"

namespace spillway::ingest {
namespace {

class AssessmentRoutesTest : public PresetFixture {
 protected:
  void SetUp() override {
    const config::Loaded loaded = Load("assessment", "ingest");
    auto table = RouteTable::Compile(loaded.config.ingest(), loaded.locations, environment_);
    ASSERT_TRUE(table.ok()) << table.status().message();
    table_ = *table;
  }

  // "channel type key time_us payload", or "rejected REASON".
  std::string Run(const std::string& topic, std::string_view key, std::string_view value) {
    const auto route = table_->Resolve(topic);
    if (route == nullptr) return "no route";
    RecordInput record;
    record.key = key;
    record.value = value;
    record.timestamp_ms = 5;
    const NormaliseResult result = normaliser_.Normalise(*route, record);
    if (result.rejected) return "rejected " + result.Describe();
    if (result.events.size() != 1 || result.events[0].event.channels.size() != 1) return "not one";
    const wire::EventView& event = result.events[0].event;
    return std::string(event.channels[0]) + " " + std::string(event.type) + " " +
           std::string(event.key) + " " + std::to_string(event.event_time_us) + " " +
           std::string(event.payload);
  }

  std::shared_ptr<const RouteTable> table_;
  Normaliser normaliser_;
};

TEST_F(AssessmentRoutesTest, NamesEveryTopic) { EXPECT_EQ(table_->named_topics().size(), 15u); }

TEST_F(AssessmentRoutesTest, MarketDataGoesToOneChannel) {
  for (const std::string name : {"btc", "eth", "sol", "polymarket", "kalshi"}) {
    const std::string topic = "market-data." + name + "-ticks";
    EXPECT_EQ(Run(topic, "k", R"({"symbol":"X","price":1.50,"timestamp":7})"),
              "market market_price " + topic + "/X 7000 " +
                  R"({"symbol":"X","price":1.50,"timestamp":7,"topic":")" + topic + "\"}");
    EXPECT_EQ(Run(topic, "", R"({"price":2})"), "market market_price " + topic + "/" + topic +
                                                    R"( 5000 {"price":2,"topic":")" + topic +
                                                    "\"}");
  }
}

TEST_F(AssessmentRoutesTest, OtherTopicsGoToTheirAssessment) {
  const std::vector<std::pair<std::string, std::string>> types = {
      {"trading.order-filled", "position_update"},
      {"trading.position-opened", "position_update"},
      {"trading.position-closed", "position_update"},
      {"assessment.balance-updated", "pnl_update"},
      {"assessment.pnl-updated", "pnl_update"},
      {"assessment.created", "assessment_update"},
      {"assessment.started", "assessment_update"},
      {"assessment.completed", "assessment_update"},
      {"rules.violation-detected", "violation"},
      {"rules.drawdown-checked", "rule_status"}};
  for (const auto& [topic, type] : types) {
    const bool state = type == "pnl_update" || type == "rule_status";
    const std::string key = state ? topic : "key1";
    EXPECT_EQ(Run(topic, "key1", R"({"assessmentId":"a1"})"),
              "assessment:a1 " + type + " " + key + R"( 5000 {"assessmentId":"a1","topic":")" +
                  topic + "\"}");
    EXPECT_EQ(Run(topic, "key1", R"({"topic":"own"})"),
              "assessment:key1 " + type + " " + key + R"( 5000 {"topic":"own"})");
    EXPECT_EQ(Run(topic, "", "{}"), "rejected missing_field:/assessmentId|key");
  }
}

}  // namespace
}  // namespace spillway::ingest
