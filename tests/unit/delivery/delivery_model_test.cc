// The delivery rules, driven by chance: the real state machines of both tiers under loss, delay,
// reordering of independent parts, kills, zombies, stalls, moves and retention. Every client must
// end up with exactly what its position promises. SPILLWAY_MODEL_SEEDS=N runs more seeds than the
// default; a failure names its seed.

#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/unit/delivery/model_world.h"

namespace spillway::model {
namespace {

uint64_t Seeds() {
  const char* text = std::getenv("SPILLWAY_MODEL_SEEDS");
  return text == nullptr ? 150 : std::strtoull(text, nullptr, 10);
}

void RunSeeds(WorldOptions options) {
  size_t received = 0;
  size_t snapshots = 0;
  size_t slow_gaps = 0;
  edge::LinkCounters counters;
  for (uint64_t seed = 1; seed <= Seeds(); ++seed) {
    options.seed = seed;
    World world(options);
    world.Run();
    world.Settle();
    received += world.received();
    snapshots += world.snapshots();
    slow_gaps += world.slow_gaps();
    counters.failovers += world.edge().core.counters().failovers;
    counters.moves += world.edge().core.counters().moves;
    for (const std::string& line : world.Check()) ADD_FAILURE() << "seed " << seed << ": " << line;
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(received, Seeds() * 100);
  EXPECT_GT(snapshots, Seeds());
  if (options.slow) {
    EXPECT_GT(slow_gaps, Seeds());
  }
  if (options.kill) {
    EXPECT_GT(counters.failovers, 0u);
  }
  testing::Test::RecordProperty("moves", static_cast<int>(counters.moves));
}

TEST(DeliveryModel, OneQuietIngest) { RunSeeds({.ingests = 1}); }
TEST(DeliveryModel, TwoIngests) { RunSeeds({.ingests = 2}); }
TEST(DeliveryModel, ThreeIngestsKilled) { RunSeeds({.ingests = 3, .kill = true}); }
TEST(DeliveryModel, Zombies) { RunSeeds({.ingests = 2, .kill = true, .stop = true}); }
TEST(DeliveryModel, StallsAndCuts) { RunSeeds({.ingests = 3, .stall = true, .cut = true}); }
TEST(DeliveryModel, TinyBounds) {
  RunSeeds({.ingests = 2, .kill = true, .cut = true, .tiny = true});
}
TEST(DeliveryModel, Retention) {
  RunSeeds({.ingests = 2, .kill = true, .stall = true, .cut = true, .truncate = true});
}
TEST(DeliveryModel, Lanes) { RunSeeds({.ingests = 2, .lanes = true}); }
TEST(DeliveryModel, LanesAndFaults) {
  RunSeeds(
      {.ingests = 3, .kill = true, .stall = true, .cut = true, .truncate = true, .lanes = true});
}
TEST(DeliveryModel, TinyLanes) {
  RunSeeds({.ingests = 2, .kill = true, .cut = true, .tiny = true, .lanes = true});
}
TEST(DeliveryModel, SlowClients) {
  RunSeeds({.ingests = 2, .kill = true, .cut = true, .slow = true});
}
TEST(DeliveryModel, SlowClientsAndFaults) {
  RunSeeds({.ingests = 3,
            .kill = true,
            .stall = true,
            .cut = true,
            .truncate = true,
            .tiny = true,
            .slow = true});
}
TEST(DeliveryModel, EverythingAtOnce) {
  RunSeeds({.ingests = 3,
            .kill = true,
            .stop = true,
            .stall = true,
            .cut = true,
            .truncate = true,
            .tiny = true,
            .lanes = true});
}

}  // namespace
}  // namespace spillway::model
