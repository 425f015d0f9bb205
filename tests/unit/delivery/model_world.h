#pragma once

#include <deque>
#include <map>
#include <memory>
#include <random>
#include <set>
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
  size_t clients = 8;      // at a time
  bool kill = false;       // ingests are killed and started again
  bool stop = false;       // and stopped (SIGSTOP), and go on as zombies
  bool stall = false;      // an ingest loses Kafka
  bool cut = false;        // single links break
  bool truncate = false;   // retention
  bool tiny = false;       // logs, rings and lanes hold next to nothing
  bool lanes = false;      // clients subscribe at every frequency, and change it
  bool slow = false;       // clients block, and miss what their channels' policies allow
  bool apart = false;      // the two ends of a link hear of its end at different times
  bool shaky = false;      // Kafka's client fails for a moment now and then
  bool wide = false;       // records of several events and channels
  bool aging = false;      // logs give up what is old
  bool grow = false;       // partitions and a topic appear, not for all ingests at once
  bool restart = false;    // the edge is started again
  bool routes = false;     // ingests are started again with newer routes, or older ones
  bool resumes = false;    // clients that are gone come back where they were
  bool forge = false;      // and some show positions that never were theirs
  bool reset = false;      // topics are deleted, and made anew
  bool compact = false;    // Kafka removes records that newer ones of their key replace
  bool fewer = false;      // of those, some have fewer partitions then
  bool limited = false;    // snapshots reach back for a while only, and hold a few keys
  bool repeats = false;    // some records repeat others, as their idempotency keys say
  bool ephemeral = false;  // events come that never were in Kafka
  bool patterns = false;   // half of the clients subscribe to patterns
  bool skips = false;      // edges that fall behind are not led up to the logs again
  size_t shards = 1;       // of each ingest
  size_t edges = 1;        // at a time
};

// Kafka, ingests, edges with two or three workers and clients that come and go, in one thread:
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
  // Clients that went on where others had been.
  size_t resumed() const { return resumed_; }
  // Slots of clients of which a gap `reset` was told.
  size_t foreign() const;
  // Slots of clients that ended because their topic was made anew.
  size_t resets() const;
  // Gaps told to slow clients.
  size_t slow_gaps() const;
  // Partitions that appeared while clients were live that are to have all of them.
  size_t grown() const;
  // What was done in it that is no event's usual way, in order.
  const std::vector<std::string>& trace() const { return trace_; }
  // Of all edges.
  edge::LinkCounters counters() const;

 private:
  struct Link {
    size_t ingest;
    ModelEdge* edge;
    bool edge_gone = false;    // the edge's end is closed
    bool ingest_gone = false;  // the ingest's is, and what it had sent still comes
    std::deque<ModelIngest::Out> trailing;
  };
  struct Subscribed {
    std::unique_ptr<ModelClient> client;
    ModelEdge* edge;
    size_t worker;
    bool ended = false;
    bool succeeded = false;       // another one goes on where it was
    std::set<size_t> from_begin;  // partitions that came while it was live: all of them is for it
    // Events that never were in Kafka, which it is to get, or be told of after that step.
    std::vector<std::pair<int, int>> promised;

    edge::HubShard& hub() const { return *edge->hubs[worker]; }
  };

  static constexpr int64_t kWindow = 6;  // of repeats

  void Step();
  // For the trace.
  void Note(const std::string& what);
  void Advance(std::chrono::milliseconds time);
  void DeliverToIngest(uint64_t link);
  void DeliverToEdge(uint64_t link);
  void Write(uint64_t link);
  int64_t WallUs() const {
    return std::chrono::duration_cast<std::chrono::microseconds>(now_.time_since_epoch()).count();
  }
  ModelKafka::Writing Writing() const;
  void RunLinkTask(ModelEdge& edge);
  static void RunMail(ModelEdge& edge, size_t worker, MonoTime now);
  void RunCalls(ModelEdge& edge);
  void AnswerReads();
  void TidyUp();
  bool Quiet() const;

  // model_faults.cc
  void Fault();
  void KillAny();
  void StopAny();
  void StallAny();
  void ShakeAny();
  void CutAny();
  void LinkAnyTwice();
  void TruncateAny();
  void CompactAny();
  void Grow();
  void DeleteAny();
  void MakeAnew(const std::string& topic);
  void MakeAllAnew();
  // In the place of one that has gone, or in one more.
  void StartEdge(size_t place);
  void RestartEdge();
  ModelEdge& AnyEdge();
  void StartIngest(size_t ingest);
  void Kill(size_t ingest);
  void Connect(size_t ingest, ModelEdge& edge);
  // An ingest has answered an attach.
  void Accepted(uint64_t link, uint64_t attach_id, int generation);
  // The edge has closed its end, or hears that the link is lost.
  void EndAtEdge(uint64_t link, bool told);
  void EndAtIngest(uint64_t link);
  // Ends at the other side, too, what one side has ended: now, or when chance wills.
  void EndHalves();
  uint64_t AnyLink();
  size_t AnyIngest();
  ingest::ShardCore::Options IngestOptions() const;
  edge::HubShard::Options HubOptions() const;

  // model_clients.cc
  void ChangeSubscriptions();
  void Succeed(ModelClient& client);
  void WriteToClients();
  edge::Frequency AnyFrequency();
  // A channel, or a pattern, for a client to subscribe to.
  std::string AnyName();

  // model_ephemeral.cc
  void PublishAny();
  void CheckEphemeral(const Subscribed& subscribed, const std::string& who,
                      std::vector<std::string>* broken) const;

  // model_checker.cc
  void CheckClient(const Subscribed& subscribed, const ModelClient& client,
                   std::vector<std::string>* broken) const;
  // Slots that ended because their topic was made anew, and those that took their place.
  void CheckResets(const Subscribed& subscribed, const ModelClient& client, const std::string& who,
                   std::vector<std::string>* broken) const;
  // Clients that showed a position of the topic as it is.
  void CheckTaken(const Subscribed& subscribed, const ModelClient& client, const std::string& who,
                  std::vector<std::string>* broken) const;
  // Whether a client may go on at `start`, after what it has shown.
  bool MayBegin(const ModelClient::Slot& slot, size_t partition, int generation) const;
  bool IsProof(size_t partition, int generation, int64_t at) const;
  void CheckSnapshots(const Subscribed& subscribed, const ModelClient& client,
                      const std::string& who, std::vector<std::string>* broken) const;
  // Takes out of `expected` what a lane may have left out, and says what it may not.
  void CheckConflated(const ModelClient& client, SlotNumber slot,
                      const std::vector<ModelRecord>& history, bool ended, const std::string& who,
                      std::vector<int64_t>* expected, std::vector<std::string>* broken) const;
  // Holds what a client has read against what the hub had sent it.
  void CheckQueue(const Subscribed& subscribed, std::vector<std::string>* broken) const;
  const std::vector<ModelRecord>& HistoryOf(const ModelEdge& edge, SlotNumber slot) const;
  // By an edge's number.
  size_t PartitionOf(const ModelEdge& edge, SlotNumber slot) const;

  const WorldOptions options_;
  std::mt19937_64 random_;
  MonoTime now_{std::chrono::hours(1)};
  MonoTime last_beat_;
  ModelKafka kafka_;
  std::vector<std::unique_ptr<ModelIngest>> ingests_;
  std::vector<int> lives_;
  int routes_ = 0;
  std::vector<std::unique_ptr<ModelEdge>> edges_;  // that there ever were
  std::vector<ModelEdge*> live_;                   // those that run
  std::map<uint64_t, Link> links_;
  std::map<uint64_t, std::pair<uint64_t, uint64_t>> reads_;  // ingest's read id -> (link, call)
  uint64_t next_link_ = 1;
  uint64_t next_read_ = 1;
  std::vector<std::string> channels_{"c1", "c2", "c3"};
  std::vector<Subscribed> clients_;
  size_t resumed_ = 0;
  int step_ = 0;
  std::vector<std::string> trace_;
  int published_ = 0;                 // events that never were in Kafka
  std::vector<size_t> published_by_;  // ingests and their lives
  std::vector<std::string> broken_;   // what broke a rule when it happened
};

}  // namespace spillway::model
