#include "services/edge/control/admin_drain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "absl/strings/string_view.h"

namespace spillway::edge {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

std::string Refusal(const v1::DrainRequest& request) {
  return std::string(CheckDrain(request).message());
}

TEST(AdminDrainTest, NamesTheNodeOrMeansTheOneThatIsCalled) {
  v1::DrainRequest request;
  EXPECT_THAT(Refusal(request), HasSubstr("node_id is empty"));
  request.set_scope(v1::SCOPE_NODE);
  EXPECT_EQ(Refusal(request), "");
  request.set_scope(v1::SCOPE_UNSPECIFIED);
  request.set_node_id("edge-2");
  EXPECT_EQ(Refusal(request), "");
  request.set_scope(v1::SCOPE_CLUSTER);
  EXPECT_THAT(Refusal(request), HasSubstr("one node after the other"));
}

TEST(AdminDrainTest, TimesHaveBounds) {
  v1::DrainRequest request;
  request.set_node_id("edge-2");
  for (int64_t bad : {int64_t{-1}, int64_t{86'400'001}, std::numeric_limits<int64_t>::max()}) {
    request.set_duration_ms(bad);
    EXPECT_THAT(Refusal(request), HasSubstr("duration_ms")) << bad;
    request.set_duration_ms(0);
    request.set_lead_ms(bad);
    EXPECT_THAT(Refusal(request), HasSubstr("lead_ms")) << bad;
    request.clear_lead_ms();
  }
  request.set_duration_ms(1'000);
  request.set_lead_ms(1'001);
  EXPECT_THAT(Refusal(request), HasSubstr("a part of duration_ms"));
  request.set_lead_ms(1'000);
  EXPECT_EQ(Refusal(request), "");
}

TEST(AdminDrainTest, WhatIsLeftOpenIsAsConfigured) {
  const NodeDrain::Times configured{.lead = seconds(4), .spread = seconds(3)};
  const auto times = [&](int64_t duration_ms, int64_t lead_ms) {
    v1::DrainRequest request;
    request.set_duration_ms(duration_ms);
    if (lead_ms >= 0) request.set_lead_ms(lead_ms);
    const NodeDrain::Times asked = DrainTimes(request, configured);
    return std::pair(asked.lead.count(), asked.spread.count());
  };
  EXPECT_EQ(times(0, -1), std::pair(4'000L, 3'000L));
  EXPECT_EQ(times(0, 0), std::pair(0L, 3'000L));
  EXPECT_EQ(times(20'000, -1), std::pair(4'000L, 16'000L));
  EXPECT_EQ(times(6'000, -1), std::pair(3'000L, 3'000L)) << "half of it at most";
  EXPECT_EQ(times(6'000, 5'000), std::pair(5'000L, 1'000L));
}

}  // namespace
}  // namespace spillway::edge
