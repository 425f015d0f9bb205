#include "services/edge/net/mailbox.h"

#include <gtest/gtest.h>

#include <vector>

namespace spillway::edge::net {
namespace {

TEST(MailboxTest, OneWakeUpForABurstTakenInOrder) {
  Mailbox mailbox;
  std::vector<int> ran;
  ASSERT_TRUE(mailbox.Sleep());
  EXPECT_TRUE(mailbox.Put([&] { ran.push_back(1); }));
  EXPECT_FALSE(mailbox.Put([&] { ran.push_back(2); }));
  EXPECT_FALSE(mailbox.Put([&] { ran.push_back(3); }));
  std::vector<Mailbox::Task> tasks;
  mailbox.TakeAll(&tasks);
  for (const auto& task : tasks) task();
  EXPECT_EQ(ran, (std::vector<int>{1, 2, 3}));
  ASSERT_TRUE(mailbox.Sleep());
  EXPECT_TRUE(mailbox.Put([] {}));
}

TEST(MailboxTest, AReaderThatIsAwakeIsNotWokenAndDoesNotFallAsleep) {
  Mailbox mailbox;
  EXPECT_FALSE(mailbox.Put([] {}));  // it has not begun to read
  EXPECT_FALSE(mailbox.Sleep());
  std::vector<Mailbox::Task> tasks;
  mailbox.TakeAll(&tasks);
  EXPECT_FALSE(mailbox.Put([] {}));
  EXPECT_FALSE(mailbox.Sleep());
  // Woken by something else than a task: it is awake until it says otherwise.
  tasks.clear();
  mailbox.TakeAll(&tasks);
  ASSERT_TRUE(mailbox.Sleep());
  tasks.clear();
  mailbox.TakeAll(&tasks);
  EXPECT_FALSE(mailbox.Put([] {}));
}

}  // namespace
}  // namespace spillway::edge::net
