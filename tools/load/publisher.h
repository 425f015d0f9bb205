#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/load/dialect.h"
#include "tools/load/latency_histogram.h"
#include "tools/load/run_options.h"
#include "tools/load/run_state.h"
#include "tools/load/sink.h"

namespace spillway::load {

// A thread that publishes all streams of a run, open loop: a publication is due when its schedule
// says so, whatever the server and the tool itself do meanwhile, and says when it was due. Owned by
// the run; its methods may be called from any thread.
class Publisher {
 public:
  struct Options {
    std::map<std::string, std::string> kafka;  // librdkafka's properties
    std::string ingest;                        // host:port of the publish API
    std::string ingest_token;
    double seconds = 0;  // of publishing; 0: until the streams' counts are reached
  };
  struct Stream {
    std::atomic<uint64_t> published{0};
    std::atomic<int64_t> max_late_ns{0};
    LatencyHistogram late;  // by how much; to be read once done()
  };

  // All must outlive it. Connects to where the streams go.
  static absl::StatusOr<std::unique_ptr<Publisher>> Create(const Options& options,
                                                           const ClientOptions& clients,
                                                           const Dialect& dialect, RunState& run);
  ~Publisher();  // stops it
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;

  // `begin_ns`: when the first publications are due.
  void Start(int64_t begin_ns);
  // Nothing more is published; what was is confirmed or given up.
  void Enough() { enough_.store(true, std::memory_order_relaxed); }
  // Everything was published, and confirmed or given up.
  bool done() const { return done_.load(std::memory_order_acquire); }
  // Lateness and confirmations of what is due from then on are kept.
  void CountFrom(int64_t ns);

  const Stream& stream(size_t index) const { return *streams_[index]; }
  // Null where nothing goes that way.
  const Sink* sink(Via via) const;
  uint64_t published() const;
  uint64_t confirmed() const;
  uint64_t failed() const;

 private:
  struct Source;  // a stream's schedule, channels and numbers

  Publisher(const Options& options, const ClientOptions& clients, RunState& run);

  void Run(int64_t begin_ns);
  // The one that is due next; null when all have ended.
  static Source* Next(std::vector<Source>& sources);
  void Send(Source& source, int64_t due_ns, bool more);

  const Options options_;
  const ClientOptions& clients_;
  RunState& run_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::map<Via, std::unique_ptr<Sink>> sinks_;
  std::atomic<int64_t> count_from_ns_{INT64_MAX};
  std::atomic<bool> enough_{false};
  std::atomic<bool> stop_{false};
  std::atomic<bool> done_{false};
  std::thread thread_;
};

}  // namespace spillway::load
