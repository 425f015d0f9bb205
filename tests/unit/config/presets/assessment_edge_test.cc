// The preset `assessment`: its endpoint, and the settings that come from the environment.

#include <gmock/gmock.h>

#include <map>

#include "services/edge/dialect/json_envelope.h"
#include "services/edge/session/channel_template.h"
#include "tests/unit/config/presets/preset_fixture.h"

namespace spillway::edge {
namespace {

using testing::ElementsAre;

class AssessmentEdgeTest : public PresetFixture {};

TEST_F(AssessmentEdgeTest, Defaults) {
  environment_.variables = {{"JWT_SECRET", "s"}};
  const v1::EdgeConfig edge = Load("assessment", "edge").config.edge();
  EXPECT_EQ(edge.listen(), "0.0.0.0:3003");
  EXPECT_EQ(edge.node_id(), "");
  ASSERT_EQ(edge.endpoints_size(), 1);
  const v1::EndpointConfig& endpoint = edge.endpoints(0);
  EXPECT_EQ(endpoint.heartbeat().interval(), 30'000);
  EXPECT_EQ(endpoint.heartbeat().timeout(), 60'000);
  EXPECT_EQ(endpoint.params(0).claim(), "assessmentId");
  EXPECT_FALSE(endpoint.params(0).allow_ungranted());
  EXPECT_THAT(endpoint.subscribe(), ElementsAre("market", "assessment:{param.assessmentId}"));

  std::map<std::string, std::string, std::less<>> templates(endpoint.envelope().begin(),
                                                            endpoint.envelope().end());
  const auto envelope = JsonEnvelope::Compile(templates);
  ASSERT_TRUE(envelope.ok()) << envelope.status();
  EXPECT_TRUE(envelope->snapshot_as_events());
  for (const std::string& channel : endpoint.subscribe()) {
    EXPECT_TRUE(ChannelTemplate::Compile(channel).ok()) << channel;
  }
}

TEST_F(AssessmentEdgeTest, Environment) {
  environment_.variables = {{"JWT_SECRET", "s"},
                            {"PORT", "4004"},
                            {"POD_NAME", "pod-1"},
                            {"NODE_ID", "n1"},
                            {"ASSESSMENT_CLAIM", "aid"},
                            {"ALLOW_UNGRANTED", "true"},
                            {"HEARTBEAT_INTERVAL", "5"},
                            {"CONNECTION_TIMEOUT", "12"},
                            {"SPILLWAY_INGESTS", "a:1,b:2"}};
  v1::EdgeConfig edge = Load("assessment", "edge").config.edge();
  EXPECT_EQ(edge.listen(), "0.0.0.0:4004");
  EXPECT_EQ(edge.node_id(), "pod-1");
  EXPECT_EQ(edge.endpoints(0).params(0).claim(), "aid");
  EXPECT_TRUE(edge.endpoints(0).params(0).allow_ungranted());
  EXPECT_EQ(edge.endpoints(0).heartbeat().interval(), 5);
  EXPECT_EQ(edge.endpoints(0).heartbeat().timeout(), 12);
  EXPECT_THAT(edge.ingests().addresses(), ElementsAre("a:1", "b:2"));
  environment_.variables.erase("POD_NAME");
  EXPECT_EQ(Load("assessment", "edge").config.edge().node_id(), "n1");
}

}  // namespace
}  // namespace spillway::edge
