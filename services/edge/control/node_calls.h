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

namespace grpc {
class Channel;
}

namespace spillway::edge {

// Calls of other nodes' gRPC services, under a deadline, over channels that are kept. Bounded in
// number: more are answered RESOURCE_EXHAUSTED. Thread-safe but for Forget() and Stop(), which are
// the owner's; what is called back runs on gRPC's threads. Owned by the composition root; stopped
// before what is called back ends.
class NodeCalls {
 public:
  using NewChannel =
      std::function<absl::StatusOr<std::shared_ptr<grpc::Channel>>(const std::string& address)>;
  using Done = std::function<void(const grpc::Status& status)>;
  struct Options {
    std::string bearer_token;  // presented with every call; empty: none
    size_t max_calls = 1'024;  // under way
  };

  NodeCalls(Options options, NewChannel new_channel);
  ~NodeCalls();  // Stop()
  NodeCalls(const NodeCalls&) = delete;
  NodeCalls& operator=(const NodeCalls&) = delete;

  // `method` is a path: "/spillway.v1.AdminService/GetStats". `response` lives until `done`, which
  // is called exactly once, maybe at once.
  void Call(const std::string& address, const char* method,
            const google::protobuf::Message& request, google::protobuf::Message* response,
            std::chrono::milliseconds timeout, Done done);

  // Lets go of channels to addresses that are no longer among these. Not on gRPC's threads, where a
  // channel must not end.
  void Forget(const std::vector<std::string>& addresses_in_use);
  // Ends the calls that are under way, and waits for them. Later ones are refused.
  void Stop();

 private:
  struct Running;

  absl::StatusOr<std::shared_ptr<grpc::Channel>> ChannelTo(const std::string& address);
  void Finish(Running* call, const grpc::Status& status);

  const Options options_;
  const NewChannel new_channel_;
  Mutex mutex_;
  CondVar idle_;
  std::map<std::string, std::shared_ptr<grpc::Channel>> channels_ SPILLWAY_GUARDED_BY(mutex_);
  absl::flat_hash_set<Running*> running_ SPILLWAY_GUARDED_BY(mutex_);
  bool stopped_ SPILLWAY_GUARDED_BY(mutex_) = false;
};

}  // namespace spillway::edge
