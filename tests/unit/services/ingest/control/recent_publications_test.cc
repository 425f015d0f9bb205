#include "services/ingest/control/recent_publications.h"

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace spillway::ingest {
namespace {

class RecentPublicationsTest : public ::testing::Test {
 protected:
  int64_t Find(std::string_view topic, std::string_view key) {
    const auto found = recent_.Find(topic, key);
    return found.has_value() ? found->offset : -1;
  }

  test::FakeClock clock_;
  RecentPublications recent_{{.most = 3, .age = std::chrono::seconds(60)}, clock_};
};

TEST_F(RecentPublicationsTest, KnowsWhereAKeyWasWritten) {
  recent_.Add("t", "k", {.partition = 2, .offset = 7});
  EXPECT_EQ(Find("t", "k"), 7);
  EXPECT_EQ(recent_.Find("t", "k")->partition, 2);
  EXPECT_EQ(Find("t", "other"), -1);
  EXPECT_EQ(Find("other", "k"), -1);
  recent_.Add("t", "k", {.partition = 2, .offset = 9});
  EXPECT_EQ(Find("t", "k"), 7) << "the first place stays";
}

TEST_F(RecentPublicationsTest, ForgetsTheOldestAndTheOld) {
  for (int i = 0; i < 4; ++i) recent_.Add("t", std::to_string(i), {.partition = 0, .offset = i});
  EXPECT_EQ(Find("t", "0"), -1);
  EXPECT_EQ(Find("t", "3"), 3);
  clock_.Advance(std::chrono::seconds(61));
  EXPECT_EQ(Find("t", "3"), -1);
  recent_.Add("t", "3", {.partition = 0, .offset = 30});
  EXPECT_EQ(Find("t", "3"), 30);
}

}  // namespace
}  // namespace spillway::ingest
