#pragma once

#include <google/protobuf/message.h>
#include <grpcpp/support/status.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "common/base/mutex.h"
#include "common/rpc/credentials.h"

namespace grpc {
class Channel;
}

namespace spillway::edge {

// Calls of other nodes' gRPC services, under a deadline, over channels that are kept. Bounded in
// number: more are answered RESOURCE_EXHAUSTED, and are not sent. Thread-safe but for Forget() and
// Stop(), which are the owner's; what is called back runs on gRPC's threads. Owned by the
// composition root; stopped before what is called back ends.
class NodeCalls {
 public:
  using NewChannel =
      std::function<absl::StatusOr<std::shared_ptr<grpc::Channel>>(const std::string& address)>;
  using Done = std::function<void(const grpc::Status& status)>;
  struct Options {
    // Presented with every call; null: none.
    std::shared_ptr<const rpc::PresentedToken> token;
    size_t max_calls = 1'024;  // under way; one that is being answered is none any more
    // Calls never read the token's file: the owner has Get() do so in time.
    bool token_kept_fresh = false;
  };

  NodeCalls(Options options, NewChannel new_channel);
  ~NodeCalls();  // Stop()
  NodeCalls(const NodeCalls&) = delete;
  NodeCalls& operator=(const NodeCalls&) = delete;

  // `method` is a path: "/spillway.v1.AdminService/GetStats". `response` lives until `done`, which
  // is called exactly once, maybe at once. `actor`: for whom it is made, "" for this node.
  // `correlation_id`: of what it belongs to; "": it gets one of its own.
  void Call(const std::string& address, const char* method,
            const google::protobuf::Message& request, google::protobuf::Message* response,
            std::chrono::milliseconds timeout, Done done, const std::string& actor = "",
            const std::string& correlation_id = "");

  // Of the status of a call: it was refused here, and nobody else has seen anything of it.
  static bool WasNotSent(const grpc::Status& status);

  // For calls that are made otherwise: the channel to an address, and the token to present. The
  // last reference to a channel must not end on gRPC's threads.
  absl::StatusOr<std::shared_ptr<grpc::Channel>> ChannelTo(const std::string& address);
  std::string bearer_token() const {
    return options_.token == nullptr ? std::string() : std::string(options_.token->Get());
  }

  // Lets go of channels to addresses that are no longer among these: of each once no call is under
  // way on it. Not on gRPC's threads, where a channel must not end.
  void Forget(const std::vector<std::string>& addresses_in_use);
  // Connects to them ahead of the first call.
  void Warm(const std::vector<std::string>& addresses);
  // Makes all channels anew, with the files of now; false: some could not be made, and are those of
  // before. Not on gRPC's threads.
  bool Renew();
  // Those of them to which there are channels; any thread.
  std::vector<std::string> Connected(const std::vector<std::string>& addresses);
  // Ends the calls that are under way, and waits for them. Later ones are refused.
  void Stop();

 private:
  struct Running;

  void Finish(Running* call, const grpc::Status& status);

  const Options options_;
  const NewChannel new_channel_;
  Mutex mutex_;
  CondVar idle_;
  std::map<std::string, std::shared_ptr<grpc::Channel>> channels_ SPILLWAY_GUARDED_BY(mutex_);
  // Given up, for as long as calls are under way on them.
  std::vector<std::shared_ptr<grpc::Channel>> retired_ SPILLWAY_GUARDED_BY(mutex_);
  absl::flat_hash_set<Running*> running_ SPILLWAY_GUARDED_BY(mutex_);
  size_t answering_ SPILLWAY_GUARDED_BY(mutex_) = 0;  // `done` is called, or about to be
  bool stopped_ SPILLWAY_GUARDED_BY(mutex_) = false;
};

}  // namespace spillway::edge
