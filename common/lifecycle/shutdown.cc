#include "common/lifecycle/shutdown.h"

#include <algorithm>
#include <utility>

#include "common/log/log.h"

namespace spillway::lifecycle {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

void Shutdown::Add(std::string name, Step step, milliseconds limit) {
  steps_.push_back({std::move(name), std::move(step), limit});
}

bool Shutdown::Run(milliseconds deadline) {
  const MonoTime start = clock_.Now();
  const MonoTime end = start + deadline;
  for (const Named& step : std::exchange(steps_, {})) {
    const MonoTime before = clock_.Now();
    const milliseconds left = std::max(duration_cast<milliseconds>(end - before), milliseconds(0));
    step.step(std::min(left, step.limit));
    log::Info("shutdown step done",
              {{"step", step.name},
               {"took_ms", duration_cast<milliseconds>(clock_.Now() - before).count()}});
  }
  const bool in_time = clock_.Now() <= end;
  log::Write(in_time ? log::Level::kInfo : log::Level::kWarn, "shutdown complete",
             {{"took_ms", duration_cast<milliseconds>(clock_.Now() - start).count()},
              {"in_time", in_time}});
  return in_time;
}

}  // namespace spillway::lifecycle
