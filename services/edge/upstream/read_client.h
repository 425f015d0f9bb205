#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "services/edge/upstream/link_core_sink.h"
#include "spillway/v1/read.grpc.pb.h"

namespace spillway::edge {

// What a read tells its owner. Called on gRPC's threads; must not block.
class ReadClientEvents {
 public:
  virtual ~ReadClientEvents() = default;
  virtual void OnReadMessage(uint64_t call, std::unique_ptr<v1::ReadResponse> response) = 0;
  // Last call: the client may be destroyed (not within this call). `error` is empty after a whole
  // answer.
  virtual void OnReadDone(uint64_t call, std::string error) = 0;
};

// One Snapshot or History call beside a link, on its channel. Owned by the link thread, which
// makes it, may cancel it, and destroys it after OnReadDone.
class ReadClient final : private grpc::ClientReadReactor<v1::ReadResponse> {
 public:
  // `events` outlives the client. The call ends with an error after `timeout`. `token`: presented
  // to the ingest; "": none.
  ReadClient(uint64_t call, LinkId link, const std::shared_ptr<grpc::Channel>& channel,
             std::chrono::milliseconds timeout, const std::string& token, ReadClientEvents& events);
  ~ReadClient() override;

  void Start(v1::SnapshotRequest request);
  void Start(v1::HistoryRequest request);
  void Cancel() { context_.TryCancel(); }

  LinkId link() const { return link_; }

 private:
  void Begin();
  // gRPC's threads.
  void OnReadDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

  const uint64_t call_;
  const LinkId link_;
  ReadClientEvents& events_;
  std::unique_ptr<v1::ReadService::Stub> stub_;
  grpc::ClientContext context_;
  v1::SnapshotRequest snapshot_;
  v1::HistoryRequest history_;
  std::unique_ptr<v1::ReadResponse> response_;
};

}  // namespace spillway::edge
