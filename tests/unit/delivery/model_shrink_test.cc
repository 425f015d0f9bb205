// How a failure of the model is made smaller: with worlds that fail as told.

#include "tests/unit/delivery/model_shrink.h"

#include <gtest/gtest.h>

namespace spillway::model {
namespace {

TEST(ModelShrink, FindsTheSmallestWorldThatFailsInTheSameWay) {
  int runs = 0;
  const Runner run = [&runs](const WorldOptions& options) {
    ++runs;
    Failure failure{.options = options, .broken = {}, .trace = {}};
    if (options.steps >= 37 && options.kill && options.clients >= 2 && options.ingests >= 2) {
      failure.broken.push_back("client of c1 (worker 1): offset 7 of slot 3 at or before 9");
    } else if (!options.kill) {
      failure.broken.push_back("client of c1 (worker 1): never subscribed");  // another one
    }
    return failure;
  };
  const Failure found =
      Shrink({.options = {.seed = 5, .ingests = 3, .kill = true, .cut = true, .lanes = true},
              .broken = {"client of c2 (worker 0, snapshot): offset 12 of slot 1 at or before 12"},
              .trace = {}},
             run);
  EXPECT_EQ(found.options.steps, 37);
  EXPECT_EQ(found.options.clients, 2u);
  EXPECT_EQ(found.options.ingests, 2u);
  EXPECT_EQ(found.options.partitions, 1u);
  EXPECT_TRUE(found.options.kill);
  EXPECT_FALSE(found.options.cut);
  EXPECT_FALSE(found.options.lanes);
  EXPECT_LE(runs, 200);
  EXPECT_NE(Describe(found).find("seed 5, 37 steps"), std::string::npos);
}

TEST(ModelShrink, AWorldTellsWhatWasDone) {
  const Failure failure = RunWorld({.seed = 3, .kill = true});
  EXPECT_TRUE(failure.broken.empty());
  EXPECT_FALSE(failure.trace.empty());
}

}  // namespace
}  // namespace spillway::model
