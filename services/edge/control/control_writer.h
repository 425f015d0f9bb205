#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "services/edge/control/node_calls.h"
#include "spillway/v1/control.pb.h"

namespace spillway::edge {

// Has blocks and revocations written to the control topic, by one of the ingests: the next one is
// asked when one cannot. Thread-safe. Owned by the composition root.
class ControlWriter {
 public:
  struct Options {
    std::chrono::milliseconds timeout{6'000};  // for all tries; an ingest gives Kafka 5 s
    std::chrono::milliseconds try_timeout{5'500};
  };
  struct Result {
    bool durable = false;    // Kafka has acknowledged it
    std::string error_code;  // why not: docs/errors.md
    std::string message;
  };
  // Addresses of linked ingests with a control topic.
  using Ingests = std::function<std::vector<std::string>()>;
  using Done = std::function<void(Result result)>;

  // `clock` and `calls` outlive it.
  ControlWriter(Options options, const Clock& clock, NodeCalls& calls, Ingests ingests)
      : options_(options), clock_(clock), calls_(calls), ingests_(std::move(ingests)) {}

  // `done` is called once, maybe at once, else on a thread of gRPC.
  void Write(const v1::ControlEntry& entry, Done done);

 private:
  struct Attempt;
  void Try(const std::shared_ptr<Attempt>& attempt);

  const Options options_;
  const Clock& clock_;
  NodeCalls& calls_;
  const Ingests ingests_;
};

}  // namespace spillway::edge
