#include "common/gateway/gateway.h"

#include <google/protobuf/descriptor.h>
#include <grpcpp/channel.h>
#include <grpcpp/generic/generic_stub.h>

#include <atomic>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/strings.h"
#include "common/gateway/gateway_calls.h"
#include "common/gateway/openapi.h"
#include "common/http/json_error.h"
#include "common/rpc/status.h"

namespace spillway::gateway {

using google::protobuf::DescriptorPool;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

class Gateway::Impl {
 public:
  explicit Impl(Options options) : options_(std::move(options)) {
    for (const std::string& name : options_.services) {
      const ServiceDescriptor* service = DescriptorPool::generated_pool()->FindServiceByName(name);
      for (int i = 0; service != nullptr && i < service->method_count(); ++i) {
        if (!service->method(i)->client_streaming()) methods_.push_back(service->method(i));
      }
    }
  }

  void AddTo(http::Routes* routes) {
    for (const MethodDescriptor* method : methods_) {
      const std::string path =
          absl::StrCat("/", method->service()->full_name(), "/", method->name());
      routes->AddAsync(path,
                       [this, method, path](const http::Request& request,
                                            std::shared_ptr<http::Exchange> exchange) {
                         Serve(*method, path, request, std::move(exchange));
                       },
                       {"POST"});
    }
    routes->Add("/openapi.json", [document = OpenApi(options_.title, options_.version, methods_)](
                                     const http::Request&) { return http::Json(200, document); });
  }

  void Open(std::shared_ptr<grpc::Channel> channel) {
    auto stub = std::make_shared<grpc::GenericStub>(std::move(channel));
    MutexLock lock(mutex_);
    stub_ = std::move(stub);
  }

  void Shutdown() {
    calls_.Shutdown();
    MutexLock lock(mutex_);
    stub_ = nullptr;
  }

 private:
  void Serve(const MethodDescriptor& method, const std::string& path, const http::Request& request,
             std::shared_ptr<http::Exchange> exchange) {
    // By the media type alone: "; charset=utf-8" may follow.
    const std::string_view type = request.Header("content-type");
    if (!absl::StartsWithIgnoreCase(Abs(type), "application/json")) {
      exchange->Respond(http::JsonError(415, "unsupported_media_type",
                                        "Send a JSON body with 'content-type: application/json'."));
      return;
    }
    if (options_.authorize != nullptr) {
      const absl::Status may = options_.authorize(path, request.Header("authorization"));
      if (!may.ok()) return exchange->Respond(ErrorResponse(rpc::ToGrpcStatus(may)));
    }
    auto message = FromJson(*method.input_type(), request.body);
    if (!message.ok()) return exchange->Respond(ErrorResponse(rpc::ToGrpcStatus(message.status())));
    CallSetup setup{.stub = {},
                    .method = &method,
                    .path = path,
                    .request = *std::move(message),
                    .timeout = options_.timeout};
    {
      MutexLock lock(mutex_);
      setup.stub = stub_;
    }
    if (setup.stub == nullptr) {
      return exchange->Respond(
          ErrorResponse({grpc::StatusCode::UNAVAILABLE, "the node is starting or stopping"}));
    }
    if (!method.server_streaming()) {
      return CallUnary(std::move(setup), std::move(exchange), calls_);
    }
    if (streams_.fetch_add(1, std::memory_order_relaxed) >= options_.max_streams) {
      streams_.fetch_sub(1, std::memory_order_relaxed);
      return exchange->Respond(
          ErrorResponse({grpc::StatusCode::RESOURCE_EXHAUSTED,
                         absl::StrCat("no more than ", options_.max_streams,
                                      " streams at a time are served over HTTP")}));
    }
    CallStreaming(std::move(setup), std::move(exchange), calls_,
                  [this] { streams_.fetch_sub(1, std::memory_order_relaxed); });
  }

  const Options options_;
  std::vector<const MethodDescriptor*> methods_;
  RunningCalls calls_;
  std::atomic<size_t> streams_{0};
  Mutex mutex_;
  std::shared_ptr<grpc::GenericStub> stub_ SPILLWAY_GUARDED_BY(mutex_);
};

Gateway::Gateway(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Gateway::~Gateway() { Shutdown(); }
void Gateway::AddTo(http::Routes* routes) { impl_->AddTo(routes); }
void Gateway::Open(std::shared_ptr<grpc::Channel> channel) { impl_->Open(std::move(channel)); }
void Gateway::Shutdown() { impl_->Shutdown(); }

}  // namespace spillway::gateway
