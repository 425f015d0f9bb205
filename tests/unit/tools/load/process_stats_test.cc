#include "tools/load/process_stats.h"

#include <gmock/gmock.h>
#include <unistd.h>

namespace spillway::load {
namespace {

TEST(ProcessStatsTest, KnowsThisProcess) {
  EXPECT_GT(ReadCpuTimes(getpid()).total, 0);
  EXPECT_GT(ReadMemory(getpid()).rss_bytes, 100'000);
  EXPECT_GT(ReadMemory(getpid()).pss_bytes, 0);
  EXPECT_GE(ReadMemory(getpid()).peak_rss_bytes, ReadMemory(getpid()).pss_bytes);
  EXPECT_FALSE(ReadThreadTimes(getpid()).empty());
  EXPECT_GT(ReadThreadTime(getpid(), getpid()).total, 0);
  EXPECT_GT(ReadMachineTimes().total, 0);
  EXPECT_GT(ReadKernelMemory().slab_bytes, 0);
}

TEST(ProcessStatsTest, NobodyUsesNothing) {
  EXPECT_EQ(ReadCpuTimes(-1).total, 0);
  EXPECT_EQ(ReadMemory(-1).rss_bytes, 0);
  EXPECT_EQ(ReadThreadTime(-1, -1).total, 0);
}

}  // namespace
}  // namespace spillway::load
