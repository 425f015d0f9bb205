#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/client_callback.h>

#include <cstddef>
#include <deque>
#include <memory>
#include <string>

#include "common/base/mutex.h"
#include "services/edge/upstream/link_core_sink.h"
#include "spillway/v1/link.pb.h"

namespace grpc {
class Channel;
}

namespace spillway::edge {

// What a link's stream tells its owner. Called on gRPC's threads; must not block.
class LinkClientEvents {
 public:
  virtual ~LinkClientEvents() = default;
  // A LinkResponse as it came off the wire. Followed by LinkClient::OnTaken once it was dealt with.
  virtual void OnLinkMessage(LinkId link, std::string message) = 0;
  // The stream is broken: the owner calls LinkClient::Close.
  virtual void OnLinkBroken(LinkId link) = 0;
  // Last call: the client may be destroyed (not within this call).
  // `denied`: the ingest does not let this edge link, for who it is.
  virtual void OnLinkDone(LinkId link, std::string error, bool denied) = 0;
};

// One attempt at a link to one ingest: a channel with a connection of its own, and the stream on
// it. Responses are handed on unparsed. Messages that wait at the owner are bounded: above, nothing
// is read until they were taken, and gRPC's flow control holds the ingest.
//
// Owned by the link thread, which makes it, calls it, and destroys it after OnLinkDone: the channel
// must not end in one of gRPC's reactions.
class LinkClient final : private grpc::ClientBidiReactor<v1::LinkRequest, grpc::ByteBuffer> {
 public:
  // `events` outlives the client.
  LinkClient(LinkId id, std::shared_ptr<grpc::Channel> channel, size_t max_waiting_bytes,
             LinkClientEvents& events);
  ~LinkClient() override;

  // `token`: presented to the ingest; "": none.
  void Start(const std::string& token);
  // In order. Dropped once the link is closed.
  void Send(v1::LinkRequest request);
  // A message of so many bytes was dealt with.
  void OnTaken(size_t bytes);
  // OnLinkDone follows. `cancel`: the stream is not broken yet. Idempotent.
  void Close(bool cancel);

  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

 private:
  // gRPC's threads.
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

  const LinkId id_;
  const std::shared_ptr<grpc::Channel> channel_;
  const size_t max_waiting_bytes_;
  LinkClientEvents& events_;
  grpc::ClientContext context_;
  grpc::ByteBuffer response_;
  v1::LinkRequest request_;  // being written
  bool closed_ = false;      // link thread only

  Mutex mutex_;
  std::deque<v1::LinkRequest> requests_ SPILLWAY_GUARDED_BY(mutex_);
  bool writing_ SPILLWAY_GUARDED_BY(mutex_) = false;
  size_t waiting_bytes_ SPILLWAY_GUARDED_BY(mutex_) = 0;
  bool paused_ SPILLWAY_GUARDED_BY(mutex_) = false;  // no read is under way
};

}  // namespace spillway::edge
