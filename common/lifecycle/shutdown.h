#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "common/base/clock.h"

namespace spillway::lifecycle {

// The steps by which a process stops, in order, under one deadline. Filled by the composition root,
// run once by it, on its thread.
class Shutdown {
 public:
  // A step gets what is left of the time (zero once it is over: then it only does what cannot
  // wait).
  using Step = std::function<void(std::chrono::milliseconds left)>;

  explicit Shutdown(const Clock& clock) : clock_(clock) {}

  // `limit` bounds what the step may take of the rest, so that one early step cannot eat up all of
  // it.
  void Add(std::string name, Step step,
           std::chrono::milliseconds limit = std::chrono::milliseconds::max());

  // Runs every step, logging what each took. False when the deadline had passed at the end.
  bool Run(std::chrono::milliseconds deadline);

 private:
  struct Named {
    std::string name;
    Step step;
    std::chrono::milliseconds limit;
  };

  const Clock& clock_;
  std::vector<Named> steps_;
};

}  // namespace spillway::lifecycle
