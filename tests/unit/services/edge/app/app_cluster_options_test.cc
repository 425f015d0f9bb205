// What the configuration says of operators' paths, labels and nodes.

#include <chrono>

#include "services/edge/app/app_options.h"
#include "tests/unit/services/edge/app/app_options_fixture.h"

namespace spillway::edge {
namespace {

TEST_F(AppOptionsTest, PathsOfTheAdminApiAreChecked) {
  const auto with = [this](const std::string& aliases) {
    const auto options = MakeEdgeOptions(
        Config(absl::StrCat(kEndpoint, kIngests,
                            "  admin: {bearer_token: t, http: true, aliases: [", aliases, "]}\n")));
    return options.ok() ? "ok" : std::string(options.status().message());
  };
  EXPECT_EQ(with("{path: '/c/{user_id}', call: ListConnections}"), "ok");
  EXPECT_EQ(
      with("{path: /c, call: ListConnections}, {path: /d, call: Disconnect}"),
      "edge.admin.aliases[1].method: Disconnect changes something, which GET must not: use POST");
  EXPECT_EQ(with("{path: /c, call: Nothing}"),
            "edge.admin.aliases[0].call: there is no call 'Nothing'");
}

TEST_F(AppOptionsTest, WhereClientsReachThisNode) {
  auto options = MakeEdgeOptions(Config(absl::StrCat(kEndpoint, kIngests)));
  ASSERT_TRUE(options.ok());
  EXPECT_TRUE(AddressesOf(*options, 8080, 0, 0).public_address().ends_with(":8080"));
  options = MakeEdgeOptions(Config(
      absl::StrCat(kEndpoint, kIngests, "  advertised_public_address: 'e.example.com:443'\n")));
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(AddressesOf(*options, 8080, 0, 0).public_address(), "e.example.com:443");
}

TEST_F(AppOptionsTest, EachWorkerHasItsShareOfANodesMessages) {
  const auto options = MakeEdgeOptions(Config(absl::StrCat(
      kEndpoint, kIngests, "  threads: 4\n  limits: {node_messages: {count: 100, per: 1s}}\n")));
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->limits.node_messages.step, std::chrono::milliseconds(40));
  EXPECT_EQ(options->limits.node_messages.burst, 25u);
}

TEST_F(AppOptionsTest, LabelsAndAffinityOfAnEndpoint) {
  EXPECT_EQ(EndpointError("  endpoints: [{auth: {required: false}, labels: {a: '{sub}'},"
                          " affinity: {key: '{sub}'}}]\n  default_access: authenticated\n"),
            "ok");
  EXPECT_EQ(EndpointError("  endpoints: [{auth: {required: false}, labels: {a: '{x}'}}]\n"),
            "edge.endpoints[0]: endpoint '/ws': label 'a': known are {sub}, {claim.NAME}, "
            "{param.NAME}, {query.NAME} and {header.NAME}");
  EXPECT_EQ(EndpointError("  endpoints: [{auth: {required: false}, affinity: {key: all}}]\n"),
            "edge.endpoints[0]: endpoint '/ws': affinity.key: without a placeholder all clients "
            "would belong on one node");
}

}  // namespace
}  // namespace spillway::edge
