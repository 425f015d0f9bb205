#pragma once

#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/delivery/model_edge.h"
#include "tests/unit/delivery/model_ingest.h"
#include "tests/unit/delivery/model_kafka.h"

namespace spillway::model {

struct WorldOptions {
  uint64_t seed = 1;
  size_t ingests = 2;
  size_t partitions = 3;
  int steps = 4000;
  bool kill = false;      // ingests are killed and started again
  bool stop = false;      // and stopped (SIGSTOP), and go on as zombies
  bool stall = false;     // an ingest loses Kafka
  bool cut = false;       // single links break
  bool truncate = false;  // retention
  bool tiny = false;      // logs, rings and lanes hold next to nothing
  bool lanes = false;     // clients subscribe at every frequency, and change it
  bool slow = false;      // clients block, and miss what their channels' policies allow
};

// Kafka, ingests, an edge with two or three workers and clients that come and go, in one thread:
// every step, seeded chance decides what moves next, so that all interleavings of independent parts
// can happen. Between the parts are the real state machines' own messages.
class World {
 public:
  explicit World(const WorldOptions& options);

  void Run();
  // Ends all faults and lets everything settle.
  void Settle();
  // What broke a rule, one line each; empty if nothing did.
  std::vector<std::string> Check() const;
  // Events that clients received in all: a run in which nothing happens proves nothing.
  size_t received() const;
  size_t snapshots() const;
  // Gaps told to slow clients.
  size_t slow_gaps() const;
  ModelEdge& edge() { return *edge_; }

 private:
  struct Link {
    size_t ingest;
    bool up = false;
  };
  struct Subscribed {
    std::unique_ptr<ModelClient> client;
    size_t worker;
    bool ended = false;
  };

  void Step();
  void Fault();
  void Advance(std::chrono::milliseconds time);
  void Connect(size_t ingest);
  void Disconnect(uint64_t link);
  void Kill(size_t ingest);
  void DeliverToIngest(uint64_t link);
  void DeliverToEdge(uint64_t link);
  void RunLinkTask();
  void RunMail(size_t worker);
  void RunCalls();
  void ChangeSubscriptions();
  void WriteToClients();
  void TidyUp();
  bool Quiet() const;
  uint64_t AnyLink();
  edge::Frequency AnyFrequency();
  ingest::ShardCore::Options IngestOptions() const;
  void CheckClient(const Subscribed& subscribed, std::vector<std::string>* broken) const;
  // Takes out of `expected` what a lane may have left out, and says what it may not.
  void CheckConflated(const Subscribed& subscribed, SlotNumber slot, const std::string& who,
                      std::vector<int64_t>* expected, std::vector<std::string>* broken) const;

  const WorldOptions options_;
  std::mt19937_64 random_;
  MonoTime now_{std::chrono::hours(1)};
  MonoTime last_beat_;
  ModelKafka kafka_;
  std::vector<std::unique_ptr<ModelIngest>> ingests_;
  std::vector<int> lives_;
  std::unique_ptr<ModelEdge> edge_;
  std::map<uint64_t, Link> links_;
  std::map<uint64_t, std::pair<uint64_t, uint64_t>> reads_;  // ingest's read id -> (link, call)
  uint64_t next_link_ = 1;
  uint64_t next_read_ = 1;
  std::vector<std::string> channels_{"c1", "c2", "c3"};
  std::vector<Subscribed> clients_;
};

}  // namespace spillway::model
