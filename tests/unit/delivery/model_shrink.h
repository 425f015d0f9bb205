#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/unit/delivery/model_world.h"

namespace spillway::model {

// A world that broke a rule, and what was done in it.
struct Failure {
  WorldOptions options;
  std::vector<std::string> broken;  // empty: it kept all of them
  std::vector<std::string> trace;
};

// Runs a world to its end, with a trace.
Failure RunWorld(const WorldOptions& options);

// Looks for a smaller world of the same seed in which the same kind of rule is broken: fewer steps,
// clients, partitions and ingests, and without each kind of fault that it does not need. Bounded
// tries. What it returns has failed, though perhaps not each time: the order in which hash tables
// are walked depends on where memory lies.
using Runner = std::function<Failure(const WorldOptions&)>;
Failure Shrink(Failure failure, const Runner& run = RunWorld);

// For a person: the options that differ from none, what broke, what was done.
std::string Describe(const Failure& failure);

}  // namespace spillway::model
