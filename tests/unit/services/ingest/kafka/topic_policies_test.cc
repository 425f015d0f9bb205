#include "services/ingest/kafka/topic_policies.h"

#include <gmock/gmock.h>

namespace spillway::ingest {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

class TopicPoliciesTest : public testing::Test {
 protected:
  using Names = std::vector<std::string>;

  // What is known of these topics, in their order: y, n, ?.
  std::string Fill(const Names& names) {
    std::vector<TopicInfo> topics;
    for (const std::string& name : names) topics.push_back({.name = name, .partitions = 1});
    policies_.Fill(topics, now_);
    std::string known;
    for (const TopicInfo& topic : topics) {
      known += !topic.compacted.has_value() ? "?" : *topic.compacted ? "y" : "n";
    }
    return known;
  }
  Names Asked() { return std::exchange(asked_, {}); }

  MonoTime now_{std::chrono::hours(1)};
  absl::StatusOr<std::vector<TopicPolicy>> answer_ = std::vector<TopicPolicy>();
  Names asked_;
  TopicPolicies policies_{{}, [this](const Names& names) {
                            asked_ = names;
                            return answer_;
                          }};
};

TEST_F(TopicPoliciesTest, AsksOnceAndThenNowAndThen) {
  answer_ = {{.topic = "a", .compacted = true}, {.topic = "b", .compacted = false}};
  EXPECT_EQ(Fill({"a", "b"}), "yn");
  EXPECT_THAT(Asked(), ElementsAre("a", "b"));
  now_ += milliseconds(59'999);
  EXPECT_EQ(Fill({"a", "b"}), "yn");
  EXPECT_THAT(Asked(), IsEmpty());
  now_ += milliseconds(1);
  answer_ = {{.topic = "a", .compacted = false}, {.topic = "b", .compacted = false}};
  EXPECT_EQ(Fill({"a", "b"}), "nn") << "a policy may change";
  EXPECT_THAT(Asked(), ElementsAre("a", "b"));
}

TEST_F(TopicPoliciesTest, AsksAtOnceForATopicThatIsNew) {
  answer_ = {{.topic = "a", .compacted = false}};
  Fill({"a"});
  answer_ = {{.topic = "a", .compacted = false}, {.topic = "b", .compacted = true}};
  EXPECT_EQ(Fill({"a", "b"}), "ny");
}

TEST_F(TopicPoliciesTest, WhatCannotBeLearntStaysAsItWas) {
  answer_ = {{.topic = "a", .compacted = true}};
  Fill({"a"});
  EXPECT_EQ(policies_.problem(), "");
  now_ += milliseconds(60'000);
  answer_ = absl::DeadlineExceededError("no answer");
  EXPECT_EQ(Fill({"a"}), "y");
  EXPECT_EQ(policies_.problem(), "no answer");
  Asked();
  now_ += milliseconds(30'000);
  EXPECT_EQ(Fill({"a"}), "y");
  EXPECT_THAT(Asked(), IsEmpty()) << "a failure is not asked again at once";
}

TEST_F(TopicPoliciesTest, ATopicMayBeDenied) {
  answer_ = {{.topic = "a", .compacted = true},
             {.topic = "b", .status = absl::PermissionDeniedError("denied")}};
  EXPECT_EQ(Fill({"a", "b"}), "y?");
  EXPECT_EQ(policies_.problem(), "denied");
  Asked();
  Fill({"a", "b"});
  EXPECT_THAT(Asked(), IsEmpty());
}

TEST_F(TopicPoliciesTest, WithoutTopicsNothingIsAsked) {
  EXPECT_EQ(Fill({}), "");
  EXPECT_THAT(Asked(), IsEmpty());
}

}  // namespace
}  // namespace spillway::ingest
