#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "services/ingest/link/link_outbox.h"
#include "services/ingest/link/shard_io.h"
#include "services/ingest/link/wanted_channels.h"
#include "services/ingest/link/write_pacer.h"
#include "spillway/v1/link.pb.h"

namespace spillway::ingest {

class LinkSession;

// What a session tells the hub. Called on gRPC's threads, never under the session's lock; must not
// block.
class LinkSessionHandler {
 public:
  virtual ~LinkSessionHandler() = default;
  // The edge's first message. Not OK: the link ends with this status.
  virtual grpc::Status OnHello(const std::shared_ptr<LinkSession>& session,
                               const v1::EdgeHello& hello) = 0;
  virtual void OnRequest(LinkSession& session, const v1::LinkRequest& request) = 0;
  // The batch was handed to the stream.
  virtual void OnBatchTaken(LinkId link, size_t shard) = 0;
  // Answers pass their bound, for the first time: the link ends for it.
  virtual void OnAnswersOverflow(LinkSession& session) = 0;
  virtual void OnClosed(LinkSession& session) = 0;
};

// One link as ingest sees it: the reactor of the bidirectional stream and its outbox. One write is
// in flight; what is queued meanwhile follows in the outbox's order.
//
// Keeps itself alive until gRPC is done with it. Sending may happen on any thread.
class LinkSession final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                          public Paced,
                          public std::enable_shared_from_this<LinkSession> {
 public:
  // What all sessions share; outlives them.
  struct Shared {
    LinkOutbox::Limits limits;
    LinkSessionHandler& handler;
    const Clock& clock;
    WritePacer& pacer;
  };
  // `context` belongs to gRPC and lives as long as the call.
  static std::shared_ptr<LinkSession> Make(LinkId id, const Shared& shared,
                                           grpc::CallbackServerContext* context);
  // Begins to read. Once, before the service's method returns.
  void Start();

  LinkId id() const { return id_; }
  // Set once, by OnHello.
  const v1::EdgeHello& hello() const { return hello_; }
  // As the edge told last.
  bool draining() const { return draining_.load(std::memory_order_acquire); }
  // Whether that is news.
  bool SetDraining(bool draining) { return draining_.exchange(draining) != draining; }

  // The first message; whatever is sent earlier is dropped.
  void Greet(const v1::LinkResponse& hello);
  // Ends the link if the edge takes none of its answers.
  void Send(const v1::LinkResponse& answer);
  // The same for control entries.
  void SendControl(const v1::LinkResponse& control);
  // What is told whole: see LinkOutbox::AddWhole.
  void SendWhole(LinkOutbox::Whole what, uint64_t version, const v1::LinkResponse& response);
  // A serialised Batch of one shard.
  void SendBatch(size_t shard, std::string batch);
  // Replaces a beat that has not left yet.
  void SendBeat(const v1::LinkResponse& beat);
  // An element of EphemeralBatch.events, with its channels; false if it is dropped at the bound or
  // not wanted.
  bool SendEphemeral(const std::string& event, const std::vector<uint64_t>& channel_hashes,
                     const std::vector<std::string_view>& channels);
  // Ends the link from this side.
  void Close(grpc::Status status);

  // For the beats: the latest states of the readers that serve this link, by shard.
  void SetReaderStates(size_t shard, std::vector<v1::ReaderBeat> states);
  void FillBeat(v1::Beat* beat) const;

  uint64_t ephemeral_dropped() const;
  size_t queued_bytes() const;

 private:
  LinkSession(LinkId id, const Shared& shared, grpc::CallbackServerContext* context)
      : id_(id),
        handler_(shared.handler),
        clock_(shared.clock),
        pacer_(shared.pacer),
        context_(context),
        outbox_(shared.limits) {}

  // ServerBidiReactor
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;
  // Paced
  void OnTurn() override;

  void SendBounded(bool (LinkOutbox::*add)(const v1::LinkResponse&),
                   const v1::LinkResponse& response);
  void WriteNext();

  const LinkId id_;
  LinkSessionHandler& handler_;
  const Clock& clock_;
  WritePacer& pacer_;
  grpc::CallbackServerContext* const context_;
  std::shared_ptr<LinkSession> self_;
  v1::EdgeHello hello_;
  std::atomic<bool> draining_{false};
  bool greeted_ = false;  // read reactions only
  grpc::ByteBuffer incoming_;
  LinkOutbox::Out writing_now_;  // by whoever set writing_

  mutable Mutex mutex_;
  LinkOutbox outbox_ SPILLWAY_GUARDED_BY(mutex_);
  WantedChannels interest_ SPILLWAY_GUARDED_BY(mutex_);
  uint64_t interest_sequence_ SPILLWAY_GUARDED_BY(mutex_) = 0;
  std::vector<std::vector<v1::ReaderBeat>> states_ SPILLWAY_GUARDED_BY(mutex_);
  bool writing_ SPILLWAY_GUARDED_BY(mutex_) = false;
  bool asked_ SPILLWAY_GUARDED_BY(mutex_) = false;  // the pacer will call
  bool closing_ SPILLWAY_GUARDED_BY(mutex_) = false;
  bool cancelling_ SPILLWAY_GUARDED_BY(mutex_) = false;  // by Close, which finishes the call then
  bool overflowed_ SPILLWAY_GUARDED_BY(mutex_) = false;  // answers passed their bound
  bool finished_ SPILLWAY_GUARDED_BY(mutex_) = false;
  grpc::Status status_ SPILLWAY_GUARDED_BY(mutex_);
};

}  // namespace spillway::ingest
