#include "tests/unit/delivery/model_shrink.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "absl/strings/str_cat.h"

namespace spillway::model {
namespace {

struct Switch {
  const char* name;
  bool WorldOptions::*option;
};
constexpr Switch kSwitches[] = {
    {"kill", &WorldOptions::kill},           {"stop", &WorldOptions::stop},
    {"stall", &WorldOptions::stall},         {"cut", &WorldOptions::cut},
    {"truncate", &WorldOptions::truncate},   {"compact", &WorldOptions::compact},
    {"tiny", &WorldOptions::tiny},           {"lanes", &WorldOptions::lanes},
    {"slow", &WorldOptions::slow},           {"apart", &WorldOptions::apart},
    {"shaky", &WorldOptions::shaky},         {"wide", &WorldOptions::wide},
    {"aging", &WorldOptions::aging},         {"grow", &WorldOptions::grow},
    {"restart", &WorldOptions::restart},     {"routes", &WorldOptions::routes},
    {"forge", &WorldOptions::forge},         {"resumes", &WorldOptions::resumes},
    {"reset", &WorldOptions::reset},         {"limited", &WorldOptions::limited},
    {"fewer", &WorldOptions::fewer},         {"repeats", &WorldOptions::repeats},
    {"ephemeral", &WorldOptions::ephemeral}, {"patterns", &WorldOptions::patterns},
    {"skips", &WorldOptions::skips},
};

// A line without its numbers, and without saying whose it is.
std::string KindOf(const std::string& line) {
  const size_t whose = line.find("): ");
  std::string kind = whose == std::string::npos ? line : line.substr(whose + 3);
  std::erase_if(kind, [](unsigned char c) { return std::isdigit(c) != 0 || c == '-'; });
  return kind;
}

class Shrinker {
 public:
  Shrinker(Failure failure, const Runner& run)
      : run_(run), best_(std::move(failure)), kind_(KindOf(best_.broken[0])) {}

  Failure Run() {
    Steps();
    for (size_t n = 1; n < best_.options.clients; n *= 2) {
      if (Try([n](WorldOptions& options) { options.clients = n; })) break;
    }
    Fewer(&WorldOptions::partitions);
    Fewer(&WorldOptions::ingests);
    Fewer(&WorldOptions::shards);
    Fewer(&WorldOptions::edges);
    for (const Switch& one : kSwitches) {
      if (best_.options.*one.option)
        Try([&](WorldOptions& options) { options.*one.option = false; });
    }
    Steps();
    return std::move(best_);
  }

 private:
  static constexpr int kTries = 200;

  template <typename Change>
  bool Try(Change change) {
    if (++tries_ > kTries) return false;
    WorldOptions options = best_.options;
    change(options);
    Failure failure = run_(options);
    const bool same = std::any_of(failure.broken.begin(), failure.broken.end(),
                                  [&](const std::string& line) { return KindOf(line) == kind_; });
    if (same) best_ = std::move(failure);
    return same;
  }
  // Halves what can be left off the end.
  void Steps() {
    for (int cut = best_.options.steps / 2; cut > 0; cut /= 2) {
      while (best_.options.steps > cut &&
             Try([cut](WorldOptions& options) { options.steps -= cut; })) {
      }
    }
  }
  void Fewer(size_t WorldOptions::*option) {
    while (best_.options.*option > 1 && Try([&](WorldOptions& options) { --(options.*option); })) {
    }
  }

  const Runner& run_;
  Failure best_;
  const std::string kind_;
  int tries_ = 0;
};

}  // namespace

Failure RunWorld(const WorldOptions& options) {
  World world(options);
  world.Run();
  world.Settle();
  return {options, world.Check(), world.trace()};
}

Failure Shrink(Failure failure, const Runner& run) {
  return Shrinker(std::move(failure), run).Run();
}

std::string Describe(const Failure& failure) {
  const WorldOptions& options = failure.options;
  std::string text =
      absl::StrCat("seed ", options.seed, ", ", options.steps, " steps, ", options.ingests,
                   " ingests, ", options.partitions, " partitions, ", options.clients,
                   " clients at a time, ", options.shards, " shards, ", options.edges, " edges");
  for (const Switch& one : kSwitches) {
    if (options.*one.option) absl::StrAppend(&text, ", ", one.name);
  }
  for (const std::string& line : failure.broken) absl::StrAppend(&text, "\n  ", line);
  absl::StrAppend(&text, "\nWhat was done:");
  for (const std::string& line : failure.trace) absl::StrAppend(&text, "\n  ", line);
  return text;
}

}  // namespace spillway::model
