#include "services/edge/net/mailbox.h"

#include <gtest/gtest.h>

#include <vector>

namespace spillway::edge::net {
namespace {

TEST(MailboxTest, OneWakeUpForABurstTakenInOrder) {
  Mailbox mailbox;
  std::vector<int> ran;
  EXPECT_TRUE(mailbox.Put([&] { ran.push_back(1); }));
  EXPECT_FALSE(mailbox.Put([&] { ran.push_back(2); }));
  EXPECT_FALSE(mailbox.Put([&] { ran.push_back(3); }));
  std::vector<Mailbox::Task> tasks;
  mailbox.TakeAll(&tasks);
  for (const auto& task : tasks) task();
  EXPECT_EQ(ran, (std::vector<int>{1, 2, 3}));
  EXPECT_TRUE(mailbox.Put([] {}));
}

}  // namespace
}  // namespace spillway::edge::net
