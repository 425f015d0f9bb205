#include "common/audit/line_buffer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace spillway::audit {
namespace {

using By = LineBuffer::By;

TEST(LineBuffer, IsInOrder) {
  LineBuffer buffer({.lines = 10, .bytes = 100});
  for (const char* line : {"a", "b", "c"}) buffer.Put(line);
  EXPECT_EQ(buffer.Take(2, 100), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(buffer.Take(2, 100), (std::vector<std::string>{"c"}));
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.bytes(), 0u);
}

TEST(LineBuffer, TakesSoManyBytesAndOneLineInAnyCase) {
  LineBuffer buffer({.lines = 10, .bytes = 100});
  for (int i = 0; i < 3; ++i) buffer.Put("12345");
  EXPECT_EQ(buffer.Take(10, 10).size(), 2u);
  EXPECT_EQ(buffer.Take(10, 1).size(), 1u);
}

TEST(LineBuffer, OperatorsHaveRoomWhenClientsHaveNone) {
  LineBuffer buffer({.lines = 8, .bytes = 1'000});
  while (buffer.HasRoom(1, By::kClient)) buffer.Put("x");
  EXPECT_EQ(buffer.size(), 7u);
  EXPECT_TRUE(buffer.HasRoom(1, By::kOperator));
  buffer.Put("x");
  EXPECT_FALSE(buffer.HasRoom(1, By::kOperator));
}

TEST(LineBuffer, IsBoundedInBytes) {
  LineBuffer buffer({.lines = 100, .bytes = 80});
  EXPECT_FALSE(buffer.HasRoom(71, By::kClient));
  EXPECT_TRUE(buffer.HasRoom(70, By::kClient));
  EXPECT_TRUE(buffer.HasRoom(80, By::kOperator));
  EXPECT_FALSE(buffer.HasRoom(81, By::kOperator));
}

TEST(LineBuffer, CountsWhatWasLeftOutOnce) {
  LineBuffer buffer({});
  buffer.CountLeftOut();
  buffer.CountLeftOut();
  EXPECT_EQ(buffer.TakeLeftOut(), 2u);
  EXPECT_EQ(buffer.left_out(), 0u);
}

}  // namespace
}  // namespace spillway::audit
