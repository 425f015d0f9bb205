// The table of paths of a management API that others are used to.

#include <gmock/gmock.h>

#include "services/edge/app/app_options.h"
#include "tests/unit/config/presets/preset_fixture.h"

namespace spillway {
namespace {

class WebsocketRestTest : public PresetFixture {};

TEST_F(WebsocketRestTest, NamesCallsThatThereAre) {
  environment_.variables = {{"JWT_SECRET", "s"}, {"ADMIN_TOKEN", "t"}};
  const config::Loaded loaded =
      Load(std::vector<std::string>{"assessment", "websocket_rest"}, "edge");
  const auto options = edge::MakeEdgeOptions(loaded.config.edge());
  ASSERT_TRUE(options.ok()) << options.status();
  ASSERT_EQ(options->admin_door.callers.size(), 1u);
  EXPECT_EQ(options->admin_door.callers[0].token, "t");
  EXPECT_TRUE(options->admin_http);
  std::vector<std::string> paths;
  for (const gateway::Alias& alias : options->admin_aliases) {
    paths.push_back(alias.verb + " " + alias.path);
  }
  EXPECT_THAT(paths,
              testing::ElementsAre(
                  "GET /api/v1/websocket/stats", "GET /api/v1/websocket/health",
                  "GET /api/v1/websocket/channels", "GET /api/v1/websocket/connections/{user_id}",
                  "POST /api/v1/websocket/disconnect/{connection_id}",
                  "POST /api/v1/websocket/disconnect/user/{user_id}",
                  "POST /api/v1/websocket/disconnect/ip/{ip}", "POST /api/v1/websocket/broadcast",
                  "POST /api/v1/websocket/broadcast/batch"));
}

// Without one anybody who reaches the port could end connections.
TEST_F(WebsocketRestTest, NeedsAToken) {
  environment_.variables = {{"JWT_SECRET", "s"}};
  std::ifstream file(std::string(SPILLWAY_SOURCE_DIR) + "/config/presets/websocket_rest.yaml");
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_THAT(text.str(), testing::HasSubstr("bearer_token: ${ADMIN_TOKEN:?"));
}

}  // namespace
}  // namespace spillway
