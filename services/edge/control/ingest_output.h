#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/audit/output.h"
#include "common/base/mutex.h"
#include "services/edge/control/node_calls.h"

namespace spillway::edge {

// Sends lines of the audit log to an ingest, which writes them to Kafka: to the one that took the
// last ones, or else to the next. What an ingest took and could not confirm is sent again, so lines
// may come twice; their numbers tell.
class IngestOutput final : public audit::Output {
 public:
  struct Options {
    std::string node_id;
    std::chrono::milliseconds timeout{6'000};  // of one ingest, which gives Kafka 5 s
  };
  // Addresses of linked ingests; any thread. While there are none, those of before count.
  using Ingests = std::function<std::vector<std::string>()>;

  // `calls` outlives it, and is not stopped before it was cancelled or has written the last lines.
  IngestOutput(Options options, NodeCalls& calls, Ingests ingests)
      : options_(std::move(options)),
        calls_(calls),
        ingests_(std::move(ingests)),
        state_(std::make_shared<State>()) {}

  absl::Status Write(const std::vector<std::string>& lines) override;
  void Cancel() override;

 private:
  struct Call;
  // Shared with answers that come when nobody waits any more.
  struct State {
    Mutex mutex;
    CondVar changed;
    bool cancelled SPILLWAY_GUARDED_BY(mutex) = false;
  };

  absl::Status Ask(const std::string& address, const std::vector<std::string>& lines);

  const Options options_;
  NodeCalls& calls_;
  const Ingests ingests_;
  const std::shared_ptr<State> state_;
  std::vector<std::string> known_;  // the one to ask first
};

}  // namespace spillway::edge
