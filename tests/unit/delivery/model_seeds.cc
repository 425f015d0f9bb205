#include "tests/unit/delivery/model_seeds.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/unit/delivery/model_shrink.h"

namespace spillway::model {
namespace {

uint64_t Seeds() {
  const char* text = std::getenv("SPILLWAY_MODEL_SEEDS");
  return text == nullptr ? 30 : std::strtoull(text, nullptr, 10);
}

uint64_t FirstSeed() {
  const char* text = std::getenv("SPILLWAY_MODEL_FIRST_SEED");
  return text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
}

}  // namespace

void RunSeeds(WorldOptions options) {
  size_t received = 0;
  size_t snapshots = 0;
  size_t slow_gaps = 0;
  size_t resumed = 0;
  size_t grown = 0;
  size_t foreign = 0;
  size_t resets = 0;
  edge::LinkCounters counters;
  for (uint64_t seed = FirstSeed(); seed < FirstSeed() + Seeds(); ++seed) {
    options.seed = seed;
    World world(options);
    world.Run();
    world.Settle();
    received += world.received();
    snapshots += world.snapshots();
    slow_gaps += world.slow_gaps();
    resumed += world.resumed();
    grown += world.grown();
    foreign += world.foreign();
    resets += world.resets();
    counters.failovers += world.counters().failovers;
    counters.moves += world.counters().moves;
    const std::vector<std::string> broken = world.Check();
    for (const std::string& line : broken) ADD_FAILURE() << "seed " << seed << ": " << line;
    if (broken.empty()) continue;
    ADD_FAILURE() << "smaller: " << Describe(Shrink({options, broken, world.trace()}));
    return;
  }
  EXPECT_GT(received, Seeds() * 100);
  EXPECT_GT(snapshots, Seeds());
  if (options.slow) {
    EXPECT_GT(slow_gaps, Seeds());
  }
  if (options.grow) {
    EXPECT_GT(grown, Seeds() / 10);
  }
  if (options.resumes) {
    EXPECT_GT(resumed, Seeds() / 2);
  }
  if (options.forge) {
    EXPECT_GT(foreign, Seeds() / 2);
  }
  if (options.reset) {
    EXPECT_GT(resets, Seeds());
  }
  if (options.kill) {
    EXPECT_GT(counters.failovers, 0u);
  }
  testing::Test::RecordProperty("moves", static_cast<int>(counters.moves));
}

}  // namespace spillway::model
