// The delivery rules, driven by chance: the real state machines of both tiers under loss, delay,
// reordering of independent parts, kills, zombies, stalls, moves and retention. Every client must
// end up with exactly what its position promises. SPILLWAY_MODEL_SEEDS=N runs more seeds than the
// default, SPILLWAY_MODEL_FIRST_SEED=S begins with S; a failure names its seed.

#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/unit/delivery/model_shrink.h"
#include "tests/unit/delivery/model_world.h"

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
TEST(DeliveryModel, SlowClientsInLanes) { RunSeeds({.ingests = 2, .lanes = true, .slow = true}); }
TEST(DeliveryModel, WideRecords) { RunSeeds({.ingests = 2, .wide = true}); }
TEST(DeliveryModel, Shards) {
  RunSeeds({.ingests = 2, .kill = true, .cut = true, .tiny = true, .wide = true, .shards = 2});
}
TEST(DeliveryModel, EndsApart) {
  RunSeeds({.ingests = 2, .kill = true, .stop = true, .cut = true, .apart = true});
}
TEST(DeliveryModel, ShakyKafka) { RunSeeds({.ingests = 2, .shaky = true}); }
TEST(DeliveryModel, ShakyKafkaAndTinyBounds) {
  RunSeeds({.ingests = 2, .stall = true, .cut = true, .tiny = true, .shaky = true});
}
TEST(DeliveryModel, AgingLogs) {
  RunSeeds({.ingests = 2, .kill = true, .cut = true, .aging = true});
}
TEST(DeliveryModel, Growing) { RunSeeds({.ingests = 3, .stall = true, .cut = true, .grow = true}); }
TEST(DeliveryModel, GrowingUnderKills) {
  RunSeeds({.ingests = 3, .kill = true, .stop = true, .cut = true, .apart = true, .grow = true});
}
TEST(DeliveryModel, EdgeRestarted) {
  RunSeeds({.ingests = 2, .cut = true, .tiny = true, .apart = true, .restart = true});
}
TEST(DeliveryModel, Resumes) { RunSeeds({.ingests = 1, .resumes = true}); }
TEST(DeliveryModel, ResumesOnAnotherEdge) {
  RunSeeds({.ingests = 2, .cut = true, .restart = true, .resumes = true});
}
TEST(DeliveryModel, ResumesAndTinyBounds) {
  RunSeeds({.ingests = 2, .kill = true, .cut = true, .tiny = true, .aging = true, .resumes = true});
}
TEST(DeliveryModel, ResumesAndRetention) {
  RunSeeds({.ingests = 3,
            .kill = true,
            .stall = true,
            .truncate = true,
            .tiny = true,
            .restart = true,
            .resumes = true});
}
TEST(DeliveryModel, ResumesOfSlowClients) {
  RunSeeds({.ingests = 2,
            .cut = true,
            .lanes = true,
            .slow = true,
            .wide = true,
            .restart = true,
            .resumes = true});
}
TEST(DeliveryModel, ResumesWhileItGrows) {
  RunSeeds(
      {.ingests = 3, .stall = true, .cut = true, .grow = true, .restart = true, .resumes = true});
}
TEST(DeliveryModel, ForgedPositions) {
  RunSeeds({.ingests = 2, .restart = true, .resumes = true, .forge = true});
}
TEST(DeliveryModel, ForgedPositionsAndTinyBounds) {
  RunSeeds({.ingests = 2,
            .kill = true,
            .cut = true,
            .tiny = true,
            .aging = true,
            .resumes = true,
            .forge = true,
            .shards = 2});
}
TEST(DeliveryModel, ForgedPositionsAndFaults) {
  RunSeeds({.ingests = 3,
            .kill = true,
            .stall = true,
            .cut = true,
            .truncate = true,
            .slow = true,
            .apart = true,
            .shaky = true,
            .grow = true,
            .restart = true,
            .resumes = true,
            .forge = true});
}
TEST(DeliveryModel, TopicsMadeAnew) { RunSeeds({.ingests = 1, .reset = true}); }
TEST(DeliveryModel, TopicsMadeAnewAndResumes) {
  RunSeeds({.ingests = 2, .cut = true, .restart = true, .resumes = true, .reset = true});
}
TEST(DeliveryModel, TopicsMadeAnewUnderFaults) {
  RunSeeds({.ingests = 3,
            .kill = true,
            .stop = true,
            .stall = true,
            .cut = true,
            .lanes = true,
            .shaky = true,
            .wide = true,
            .reset = true,
            .shards = 2});
}
TEST(DeliveryModel, TopicsMadeAnewAndTinyBounds) {
  RunSeeds({.ingests = 2,
            .kill = true,
            .cut = true,
            .truncate = true,
            .tiny = true,
            .slow = true,
            .apart = true,
            .aging = true,
            .grow = true,
            .restart = true,
            .resumes = true,
            .reset = true});
}
TEST(DeliveryModel, Compaction) {
  RunSeeds({.ingests = 2, .kill = true, .cut = true, .compact = true});
}
TEST(DeliveryModel, CompactionAndResumes) {
  RunSeeds({.ingests = 3,
            .kill = true,
            .stall = true,
            .cut = true,
            .tiny = true,
            .slow = true,
            .apart = true,
            .shaky = true,
            .aging = true,
            .restart = true,
            .resumes = true,
            .compact = true,
            .shards = 2});
}
TEST(DeliveryModel, TopicsMadeAnewWithFewerPartitions) {
  RunSeeds({.ingests = 2, .cut = true, .resumes = true, .reset = true, .fewer = true});
}
TEST(DeliveryModel, TwoEdges) {
  RunSeeds({.ingests = 2, .kill = true, .cut = true, .resumes = true, .edges = 2});
}
TEST(DeliveryModel, TwoEdgesUnderFaults) {
  RunSeeds({.ingests = 3,
            .kill = true,
            .stop = true,
            .stall = true,
            .cut = true,
            .tiny = true,
            .lanes = true,
            .apart = true,
            .shaky = true,
            .wide = true,
            .aging = true,
            .restart = true,
            .resumes = true,
            .forge = true,
            .shards = 2,
            .edges = 2});
}
TEST(DeliveryModel, TopicsMadeAnewOnTwoEdges) {
  RunSeeds({.ingests = 2, .cut = true, .resumes = true, .reset = true, .edges = 2});
}
TEST(DeliveryModel, TopicsMadeAnewOnTwoEdgesUnderFaults) {
  RunSeeds({.ingests = 3,
            .kill = true,
            .stop = true,
            .cut = true,
            .truncate = true,
            .tiny = true,
            .apart = true,
            .wide = true,
            .restart = true,
            .resumes = true,
            .reset = true,
            .shards = 2,
            .edges = 2});
}
TEST(DeliveryModel, LimitedSnapshots) { RunSeeds({.ingests = 2, .kill = true, .limited = true}); }
TEST(DeliveryModel, LimitedSnapshotsUnderFaults) {
  RunSeeds({.ingests = 3,
            .kill = true,
            .stop = true,
            .stall = true,
            .cut = true,
            .tiny = true,
            .apart = true,
            .shaky = true,
            .wide = true,
            .restart = true,
            .resumes = true,
            .limited = true,
            .shards = 2});
}
TEST(DeliveryModel, Repeats) {
  RunSeeds({.ingests = 2, .kill = true, .cut = true, .repeats = true});
}
TEST(DeliveryModel, RepeatsUnderFaults) {
  RunSeeds({.ingests = 3,
            .kill = true,
            .stop = true,
            .stall = true,
            .cut = true,
            .tiny = true,
            .lanes = true,
            .apart = true,
            .shaky = true,
            .wide = true,
            .aging = true,
            .grow = true,
            .restart = true,
            .resumes = true,
            .forge = true,
            .repeats = true,
            .shards = 2,
            .edges = 2});
}
TEST(DeliveryModel, EphemeralEvents) { RunSeeds({.ingests = 2, .cut = true, .ephemeral = true}); }
TEST(DeliveryModel, EphemeralEventsUnderFaults) {
  RunSeeds({.ingests = 3,
            .kill = true,
            .stop = true,
            .stall = true,
            .cut = true,
            .tiny = true,
            .apart = true,
            .wide = true,
            .restart = true,
            .resumes = true,
            .ephemeral = true,
            .shards = 2,
            .edges = 2});
}
TEST(DeliveryModel, EdgesThatAreTooFarBehind) {
  RunSeeds({.ingests = 2, .kill = true, .cut = true, .tiny = true, .skips = true});
}
TEST(DeliveryModel, EdgesThatAreTooFarBehindUnderFaults) {
  RunSeeds({.ingests = 3,
            .kill = true,
            .stop = true,
            .stall = true,
            .cut = true,
            .tiny = true,
            .lanes = true,
            .apart = true,
            .shaky = true,
            .wide = true,
            .restart = true,
            .resumes = true,
            .skips = true,
            .shards = 2,
            .edges = 2});
}
TEST(DeliveryModel, NewRoutes) {
  RunSeeds({.ingests = 3, .kill = true, .cut = true, .routes = true});
}
TEST(DeliveryModel, EverythingAtOnce) {
  RunSeeds({.ingests = 3,
            .kill = true,
            .stop = true,
            .stall = true,
            .cut = true,
            .truncate = true,
            .tiny = true,
            .lanes = true,
            .slow = true,
            .apart = true,
            .shaky = true,
            .wide = true,
            .aging = true,
            .grow = true,
            .restart = true,
            .routes = true,
            .resumes = true,
            .forge = true,
            .shards = 2});
}

}  // namespace
}  // namespace spillway::model
