#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "services/ingest/link/link_session.h"
#include "services/ingest/link/shard_core.h"
#include "services/ingest/link/write_pacer.h"

namespace spillway::ingest {

// The shards as the link layer sees them: implemented by the app. Any thread.
class ShardSet {
 public:
  virtual ~ShardSet() = default;
  virtual size_t size() const = 0;
  // The shard that holds a slot.
  virtual size_t ShardOf(SlotId slot) const = 0;
  virtual void Post(size_t shard, std::function<void(ShardCore&, MonoTime)> task) = 0;
};

// Who answers reads: told by the shards through the hub's LinkSink.
class ReadSink {
 public:
  virtual ~ReadSink() = default;
  virtual void ReadDone(uint64_t read_id, size_t shard, ReadResult result) = 0;
};

// All links of this ingest: carries what edges say to the shards and what shards say to the edges,
// keeps the catalogue and the membership that every link is told, and beats. Thread-safe. Owned by
// the app, which stops the gRPC server before the shards and the shards before this.
class LinkHub final : public LinkSink, private LinkSessionHandler {
 public:
  struct Options {
    v1::IngestHello hello;  // how this ingest introduces itself
    LinkOutbox::Limits session;
    size_t max_links = 256;  // and as many calls that have not said Hello
    std::chrono::milliseconds hello_timeout{5'000};
    std::chrono::milliseconds beat_interval{500};
  };
  struct Counters {
    uint64_t links = 0;
    uint64_t opened = 0;
    uint64_t refused = 0;
    uint64_t cut = 0;
    uint64_t answers_overflowed = 0;  // links ended because the edge took none of its answers
    uint64_t queued_bytes = 0;
    uint64_t ephemeral_dropped = 0;
  };

  LinkHub(Options options, const Clock& clock);
  ~LinkHub() override;

  // Before the server starts; they outlive the hub's use.
  void SetShards(ShardSet* shards) { shards_ = shards; }
  void SetReadSink(ReadSink* reads) { reads_ = reads; }
  void StartBeats();
  // Where operators reach this ingest: for the membership. Any time.
  void SetOpsAddress(std::string address);
  // What every new link is told of the control state; null: nothing. Before the server starts.
  void SetControlState(std::function<std::vector<v1::Control>()> whole) {
    control_state_ = std::move(whole);
  }
  // Ends all links and the beats. Sessions end in their own time: the server's Shutdown waits for
  // them.
  void Stop();

  // Opens a session for a call that has just begun.
  LinkSession* Accept(grpc::CallbackServerContext* context);

  // Told to every link, at once and at its start. Whoever changes the catalogue first posts the
  // slots to the shards, so that no edge attaches one that its shard does not know.
  void SetCatalogue(v1::Catalogue catalogue);
  void SetKafka(bool up, std::string error);
  // To every link. Whoever links meanwhile may be told twice.
  void TellControl(const v1::Control& control);
  // Hands an event that never was in Kafka to every edge that wants one of its channels; returns
  // how many.
  uint32_t PublishEphemeral(const v1::Event& event);

  Counters counters() const;
  const std::string& node_id() const { return options_.hello.node_id(); }

  // LinkSink, on the shards' threads.
  void SendBatch(LinkId link, size_t shard, std::string batch) override;
  void SendAnswer(LinkId link, v1::LinkResponse answer) override;
  void SetReaderStates(LinkId link, size_t shard, std::vector<v1::ReaderBeat> states) override;
  void Cut(LinkId link, std::string_view reason) override;
  void ReadDone(uint64_t read_id, size_t shard, ReadResult result) override;

 private:
  using Session = std::shared_ptr<LinkSession>;

  // LinkSessionHandler
  grpc::Status OnHello(const Session& session, const v1::EdgeHello& hello) override;
  void OnRequest(LinkSession& session, const v1::LinkRequest& request) override;
  void OnBatchTaken(LinkId link, size_t shard) override;
  void OnAnswersOverflow(LinkSession& session) override;
  void OnClosed(LinkSession& session) override;

  Session Find(LinkId link) const;
  std::vector<Session> All() const;
  std::vector<Session> AllLocked() const SPILLWAY_REQUIRES(mutex_);
  void TellCatalogue(const std::vector<Session>& sessions);
  void TellMembership();
  void Beat();
  void RunBeats();
  void EndSilent();

  const Options options_;
  const Clock& clock_;
  ShardSet* shards_ = nullptr;
  ReadSink* reads_ = nullptr;
  std::function<std::vector<v1::Control>()> control_state_;

  mutable Mutex mutex_;
  CondVar wake_;
  absl::flat_hash_map<LinkId, Session> sessions_ SPILLWAY_GUARDED_BY(mutex_);
  struct Silent {
    Session session;
    MonoTime since;
  };
  absl::flat_hash_map<LinkId, Silent> silent_ SPILLWAY_GUARDED_BY(mutex_);  // no Hello yet
  LinkId next_link_ SPILLWAY_GUARDED_BY(mutex_) = 1;
  v1::Catalogue catalogue_ SPILLWAY_GUARDED_BY(mutex_);
  // What is told is put together under the lock and sent outside it: a session drops what is older
  // than what it was told.
  uint64_t catalogue_version_ SPILLWAY_GUARDED_BY(mutex_) = 1;
  uint64_t membership_version_ SPILLWAY_GUARDED_BY(mutex_) = 0;
  bool kafka_up_ SPILLWAY_GUARDED_BY(mutex_) = false;
  std::string kafka_error_ SPILLWAY_GUARDED_BY(mutex_) = "Kafka was not reached yet";
  std::string ops_address_ SPILLWAY_GUARDED_BY(mutex_);
  bool stopping_ SPILLWAY_GUARDED_BY(mutex_) = false;
  Counters counters_ SPILLWAY_GUARDED_BY(mutex_);
  std::thread beats_;
  WritePacer pacer_;
};

}  // namespace spillway::ingest
