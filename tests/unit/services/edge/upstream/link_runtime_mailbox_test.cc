// LinkMailbox: order, and who is woken for what.

#include "services/edge/upstream/link_runtime_mailbox.h"

#include <gmock/gmock.h>

#include <chrono>
#include <thread>
#include <vector>

namespace spillway::edge {
namespace {

using std::chrono::hours;
using testing::ElementsAre;
using Urgency = LinkMailbox::Urgency;

class LinkMailboxTest : public testing::Test {
 protected:
  void Put(int n, Urgency urgency) {
    mailbox_.Put([this, n](MonoTime) { ran_.push_back(n); }, urgency);
  }
  // What one Take() gives.
  std::vector<int> Take(LinkMailbox::Time deadline, LinkMailbox::Time quiet_until = {}) {
    std::vector<LinkMailbox::Task> tasks;
    mailbox_.Take(&tasks, deadline, quiet_until);
    ran_.clear();
    for (const LinkMailbox::Task& task : tasks) task(MonoTime());
    return ran_;
  }
  static LinkMailbox::Time Now() { return std::chrono::steady_clock::now(); }

  LinkMailbox mailbox_;
  std::vector<int> ran_;
};

TEST_F(LinkMailboxTest, TasksAreTakenInTheirOrderHoweverUrgent) {
  Put(1, Urgency::kAtDeadline);
  Put(2, Urgency::kUnlessQuiet);
  Put(3, Urgency::kNow);
  Put(4, Urgency::kAtDeadline);
  EXPECT_THAT(Take(Now() + hours(1)), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(Take(Now()), ElementsAre());
}

TEST_F(LinkMailboxTest, InQuietOnlyTheUrgentWakes) {
  Take(Now(), Now() + hours(1));
  std::vector<int> taken;
  std::thread reader([&] { taken = Take(Now() + hours(1), Now() + hours(1)); });
  Put(1, Urgency::kAtDeadline);
  // Whether the reader waits already or not: it is not to be content with these.
  for (int n = 2; n < 1'000; ++n) Put(n, n % 2 == 0 ? Urgency::kUnlessQuiet : Urgency::kAtDeadline);
  std::this_thread::yield();
  Put(1'000, Urgency::kNow);
  reader.join();
  ASSERT_EQ(taken.size(), 1'000u);
  EXPECT_EQ(taken.back(), 1'000);
}

TEST_F(LinkMailboxTest, WithoutQuietItIsWoken) {
  std::vector<int> taken;
  const LinkMailbox::Time deadline = Now() + hours(1);
  std::thread reader([&] { taken = Take(deadline); });
  Put(1, Urgency::kUnlessQuiet);
  reader.join();
  EXPECT_THAT(taken, ElementsAre(1));
}

TEST_F(LinkMailboxTest, WhatCameInQuietIsTakenAtItsEnd) {
  Take(Now(), Now() + hours(1));
  Put(1, Urgency::kUnlessQuiet);
  // Quiet is over: however far the deadline, what is there is not left to it.
  EXPECT_THAT(Take(Now() + hours(1), Now()), ElementsAre(1));
  Take(Now(), Now() + hours(1));
  Put(2, Urgency::kUnlessQuiet);
  EXPECT_THAT(Take(Now() + hours(1), Now() + std::chrono::milliseconds(1)), ElementsAre(2));
}

TEST_F(LinkMailboxTest, ClosedItTakesNothingMore) {
  Put(1, Urgency::kAtDeadline);
  mailbox_.Close();
  Put(2, Urgency::kNow);
  EXPECT_THAT(Take(Now()), ElementsAre());
}

}  // namespace
}  // namespace spillway::edge
