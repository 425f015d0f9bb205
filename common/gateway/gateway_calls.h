#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/client_callback.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/mutex.h"
#include "common/http/exchange.h"

namespace google::protobuf {
class Descriptor;
class MethodDescriptor;
}  // namespace google::protobuf

namespace spillway::gateway {

// A JSON document as the serialised message of that type; InvalidArgument says what is wrong with
// it.
absl::StatusOr<std::string> FromJson(const google::protobuf::Descriptor& type,
                                     const std::string& json);
// The other way.
absl::StatusOr<std::string> ToJson(const google::protobuf::Descriptor& type,
                                   const std::string& message);

http::Response ErrorResponse(const grpc::Status& status);

// The calls that run, so that all can be cancelled and waited for. Thread-safe.
class RunningCalls {
 public:
  // `call`: any address that is its own. `cancel` keeps it alive and may be called on any thread.
  // False: no more are begun.
  bool Begin(const void* call, std::function<void()> cancel);
  void End(const void* call);
  void Shutdown();

 private:
  Mutex mutex_;
  CondVar ended_;
  std::map<const void*, std::function<void()>> running_ SPILLWAY_GUARDED_BY(mutex_);
  bool shut_ SPILLWAY_GUARDED_BY(mutex_) = false;
};

struct CallSetup {
  std::shared_ptr<grpc::GenericStub> stub;
  const google::protobuf::MethodDescriptor* method = nullptr;
  std::string path;  // "/spillway.v1.AdminService/GetStats"
  std::string request;
  std::string correlation_id;
  std::vector<std::pair<std::string, std::string>> metadata = {};  // of the call
  std::chrono::milliseconds timeout;
};

// The exchange, whose answers have the id in a header.
std::shared_ptr<http::Exchange> Correlated(std::shared_ptr<http::Exchange> exchange,
                                           std::string correlation_id);

// Makes the call and answers the exchange; on the HTTP server's thread. It ends by itself, on one
// of gRPC's, where `ended` is called.
void CallUnary(CallSetup setup, std::shared_ptr<http::Exchange> exchange, RunningCalls& calls);
void CallStreaming(CallSetup setup, std::shared_ptr<http::Exchange> exchange, RunningCalls& calls,
                   std::function<void()> ended);

}  // namespace spillway::gateway
