// The delivery rules, driven by chance: the real state machines of both tiers under loss, delay,
// reordering of independent parts, kills, zombies, stalls, moves and retention. Every client must
// end up with exactly what its position promises. SPILLWAY_MODEL_SEEDS=N runs more seeds than the
// default, SPILLWAY_MODEL_FIRST_SEED=S begins with S; a failure names its seed.

#include <gtest/gtest.h>

#include "tests/unit/delivery/model_seeds.h"

namespace spillway::model {
namespace {

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
TEST(DeliveryModel, TopicsMadeAnewWithFewerPartitionsUnderFaults) {
  RunSeeds({.ingests = 3,
            .kill = true,
            .stop = true,
            .cut = true,
            .tiny = true,
            .apart = true,
            .wide = true,
            .restart = true,
            .resumes = true,
            .reset = true,
            .fewer = true,
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
