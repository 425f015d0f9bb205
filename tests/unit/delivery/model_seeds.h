#pragma once

#include "tests/unit/delivery/model_world.h"

namespace spillway::model {

// Runs worlds of this kind, one for each seed (SPILLWAY_MODEL_SEEDS, SPILLWAY_MODEL_FIRST_SEED),
// and fails with what broke a rule in the first that did, made smaller.
void RunSeeds(WorldOptions options);

}  // namespace spillway::model
