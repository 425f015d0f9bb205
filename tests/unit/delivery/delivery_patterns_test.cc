// The delivery rules, driven by chance, where half of the clients subscribe to patterns.

#include <gtest/gtest.h>

#include "tests/unit/delivery/model_seeds.h"

namespace spillway::model {
namespace {

TEST(DeliveryModel, Patterns) { RunSeeds({.ingests = 2, .patterns = true}); }
TEST(DeliveryModel, PatternsOfWideRecords) {
  RunSeeds({.ingests = 2, .kill = true, .cut = true, .wide = true, .patterns = true, .shards = 2});
}
TEST(DeliveryModel, PatternsInLanesOfSlowClients) {
  RunSeeds({.ingests = 2,
            .cut = true,
            .lanes = true,
            .slow = true,
            .wide = true,
            .resumes = true,
            .patterns = true});
}
TEST(DeliveryModel, PatternsAndTinyBounds) {
  RunSeeds({.ingests = 2,
            .kill = true,
            .cut = true,
            .tiny = true,
            .wide = true,
            .aging = true,
            .restart = true,
            .resumes = true,
            .patterns = true,
            .shards = 2,
            .edges = 2});
}
TEST(DeliveryModel, PatternsAndTopicsMadeAnew) {
  RunSeeds({.ingests = 2,
            .kill = true,
            .cut = true,
            .wide = true,
            .restart = true,
            .resumes = true,
            .reset = true,
            .patterns = true,
            .edges = 2});
}
TEST(DeliveryModel, PatternsCompactionAndLimitedSnapshots) {
  RunSeeds({.ingests = 3,
            .kill = true,
            .cut = true,
            .tiny = true,
            .wide = true,
            .resumes = true,
            .compact = true,
            .limited = true,
            .patterns = true});
}
TEST(DeliveryModel, PatternsAndRepeats) {
  RunSeeds({.ingests = 3,
            .kill = true,
            .stop = true,
            .stall = true,
            .cut = true,
            .tiny = true,
            .wide = true,
            .grow = true,
            .resumes = true,
            .repeats = true,
            .patterns = true,
            .shards = 2});
}
TEST(DeliveryModel, PatternsAndEphemeralEvents) {
  RunSeeds({.ingests = 3,
            .kill = true,
            .cut = true,
            .apart = true,
            .restart = true,
            .ephemeral = true,
            .patterns = true,
            .edges = 2});
}
TEST(DeliveryModel, PatternsUnderFaults) {
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
            .resumes = true,
            .forge = true,
            .patterns = true,
            .shards = 2,
            .edges = 2});
}

}  // namespace
}  // namespace spillway::model
