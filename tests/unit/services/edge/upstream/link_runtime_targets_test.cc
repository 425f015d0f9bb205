#include "services/edge/upstream/link_runtime_targets.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/fake_clock.h"

namespace spillway::edge {
namespace {

using std::chrono::milliseconds;

class IngestTargetsTest : public ::testing::Test {
 protected:
  // "link@address" of those to dial now.
  std::vector<std::string> Due() {
    std::vector<std::string> due;
    for (const auto& dial : targets_.TakeDue(clock_.Now())) {
      due.push_back(std::to_string(dial.link) + "@" + dial.address);
    }
    return due;
  }
  using List = std::vector<std::string>;

  test::FakeClock clock_;
  // 0.5: no jitter.
  IngestTargets targets_{{}, {"b:1", "a:1"}, [] { return 0.5; }};
};

TEST_F(IngestTargetsTest, DialsEachAddressOnce) {
  EXPECT_EQ(Due(), (List{"1@a:1", "2@b:1"}));
  EXPECT_EQ(Due(), List{});
}

TEST_F(IngestTargetsTest, WaitsLongerAfterEachFailure) {
  Due();
  std::vector<int> waits;
  LinkId link = 1;
  for (int i = 0; i < 7; ++i) {
    EXPECT_EQ(targets_.OnEnded(link, "refused", false, clock_.Now()), i == 0);  // news once
    int wait = 0;
    List due;
    while ((due = Due()).empty()) {
      clock_.Advance(milliseconds(10));
      wait += 10;
    }
    waits.push_back(wait);
    link = std::stoul(due[0]);
  }
  EXPECT_EQ(waits, (std::vector<int>{100, 200, 400, 800, 1600, 2000, 2000}));
  // A link that worked: the first wait again.
  targets_.OnHello(link, "n");
  EXPECT_TRUE(targets_.OnEnded(link, "gone", false, clock_.Now()));
  clock_.Advance(milliseconds(100));
  EXPECT_EQ(Due().size(), 1u);
}

TEST_F(IngestTargetsTest, LeavesASecondAddressOfAnIngestAlone) {
  Due();
  targets_.OnHello(1, "n");
  targets_.OnHello(2, "n");
  EXPECT_EQ(targets_.ExpectedLinks(), 2u);
  EXPECT_FALSE(targets_.OnEnded(2, "linked already", true, clock_.Now()));
  EXPECT_EQ(targets_.ExpectedLinks(), 1u);
  const auto status = targets_.Status();
  EXPECT_TRUE(status[0].up);
  EXPECT_FALSE(status[1].up);
  EXPECT_TRUE(status[1].duplicate);
  clock_.Advance(milliseconds(9'999));
  EXPECT_EQ(Due(), List{});
  clock_.Advance(milliseconds(1));
  EXPECT_EQ(Due(), List{"3@b:1"});
}

TEST_F(IngestTargetsTest, FollowsTheName) {
  targets_.SetResolved({"c:1", "a:1"});
  EXPECT_EQ(Due(), (List{"1@a:1", "2@b:1", "3@c:1"}));
  targets_.OnHello(3, "n3");
  // Gone from the name, but linked: it stays until the link ends.
  targets_.SetResolved({"a:1"});
  EXPECT_EQ(targets_.Status().size(), 3u);
  targets_.OnEnded(3, "gone", false, clock_.Now());
  EXPECT_EQ(targets_.Status().size(), 2u);
  // Those of the list are never forgotten.
  targets_.OnEnded(1, "gone", false, clock_.Now());
  targets_.SetResolved({});
  EXPECT_EQ(targets_.Status().size(), 2u);
}

TEST_F(IngestTargetsTest, ShowsTheLastError) {
  Due();
  targets_.OnHello(1, "n1");
  EXPECT_TRUE(targets_.Status()[0].up);
  targets_.OnEnded(1, "reset", false, clock_.Now());
  EXPECT_EQ(targets_.Status()[0].error, "reset");
  EXPECT_EQ(targets_.Status()[0].node_id, "n1");
  EXPECT_EQ(targets_.AddressOf(1), "");
  EXPECT_EQ(targets_.AddressOf(2), "b:1");
}

}  // namespace
}  // namespace spillway::edge
