#include "services/edge/control/admin_refusals.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/fake_clock.h"

namespace spillway::edge {
namespace {

TEST(AdminRefusalsTest, AreToldWithWhoAndWhat) {
  test::FakeClock clock;
  EventBus bus({.node_id = "edge-1"}, clock);
  std::vector<v1::NodeEvent> told;
  bus.AddSink({v1::EVENT_CATEGORY_ADMIN},
              [&](const v1::NodeEvent& event) { told.push_back(event); });
  AdminRefusals refusals(bus, clock);
  refusals.OnRefused({.reason = rpc::Access::Reason::kRoleTooLow,
                      .caller = "vera",
                      .method = "/spillway.v1.AdminService/Disconnect",
                      .address = "10.0.0.7"});
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].kind(), "admin_refused");
  EXPECT_EQ(told[0].actor(), "vera");
  EXPECT_EQ(told[0].action(), "Disconnect");
  EXPECT_EQ(told[0].ip(), "10.0.0.7");
  EXPECT_EQ(told[0].outcome(), "role_too_low");
}

// Whoever reaches the port can cause them.
TEST(AdminRefusalsTest, NoMoreThanSoManyASecond) {
  test::FakeClock clock;
  EventBus bus({.node_id = "edge-1"}, clock);
  size_t told = 0;
  bus.AddSink({v1::EVENT_CATEGORY_ADMIN}, [&](const v1::NodeEvent&) { ++told; });
  AdminRefusals refusals(bus, clock);
  const rpc::Access::Refusal refusal{.reason = rpc::Access::Reason::kNoCredentials};
  for (int i = 0; i < 1'000; ++i) refusals.OnRefused(refusal);
  EXPECT_EQ(told, AdminRefusals::kPerSecond);
  clock.Advance(std::chrono::seconds(1));
  for (int i = 0; i < 1'000; ++i) refusals.OnRefused(refusal);
  EXPECT_EQ(told, 2 * AdminRefusals::kPerSecond);
}

}  // namespace
}  // namespace spillway::edge
