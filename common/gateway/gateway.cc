#include "common/gateway/gateway.h"

#include <google/protobuf/descriptor.h>
#include <grpcpp/channel.h>
#include <grpcpp/generic/generic_stub.h>

#include <atomic>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/correlation_id.h"
#include "common/base/strings.h"
#include "common/gateway/gateway_calls.h"
#include "common/gateway/openapi.h"
#include "common/http/json_error.h"
#include "common/rpc/correlation.h"
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
    AddAliases(routes);
    routes->Add("/openapi.json",
                [document = OpenApi(options_.title, options_.version, methods_, aliases_)](
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
  static rpc::Presented PresentedBy(const http::Request& request, const std::string& path) {
    rpc::Presented presented{.method = path, .address = request.remote_ip};
    bool any = false;
    for (const auto& [name, value] : request.headers) {
      if (name != "authorization") continue;
      presented.repeated = any;
      any = true;
      presented.authorization = value;
    }
    return presented;
  }

  // Those of one path, by verb: a path is one route.
  void AddAliases(http::Routes* routes) {
    std::map<std::string, std::vector<const Alias*>> by_shape;
    for (const Alias& alias : options_.aliases) {
      by_shape[ParseAliasPath(alias.path)->Shape()].push_back(&alias);
    }
    for (const auto& [shape, of_path] : by_shape) {
      std::vector<std::string> verbs;
      std::vector<Aliased> targets;
      for (const Alias* alias : of_path) {
        Aliased target{.verb = alias->verb, .path = *ParseAliasPath(alias->path)};
        if (alias->method.starts_with("/")) {
          target.page = options_.pages.at(alias->method);
        } else {
          target.method = DescriptorPool::generated_pool()
                              ->FindServiceByName(options_.services.front())
                              ->FindMethodByName(alias->method);
          aliases_.push_back({alias->verb, alias->path, target.method});
        }
        verbs.push_back(alias->verb);
        targets.push_back(std::move(target));
      }
      const http::PathTemplate path = targets.front().path;
      const auto serve = [this, targets](const http::Request& request,
                                         std::shared_ptr<http::Exchange> exchange) {
        for (const Aliased& target : targets) {
          if (target.verb == request.method) {
            return ServeAlias(target, request, std::move(exchange));
          }
        }
      };
      if (path.names().empty()) {
        routes->AddAsync(of_path.front()->path, serve, std::move(verbs));
      } else {
        routes->AddMatching([path](std::string_view text) { return path.Match(text).has_value(); },
                            serve, std::move(verbs));
      }
    }
  }

  struct Aliased {
    std::string verb;
    http::PathTemplate path;
    const MethodDescriptor* method = nullptr;
    http::Handler page = nullptr;  // in place of the method
  };

  void ServeAlias(const Aliased& target, const http::Request& request,
                  std::shared_ptr<http::Exchange> exchange) {
    if (target.page != nullptr) return exchange->Respond(target.page(request));
    http::Request call = request;
    // What browsers send for a page of another origin without asking has neither body nor this
    // header; a GET changes nothing.
    const bool plain = request.body.empty() && request.Header("content-type").empty();
    if (plain && (target.verb == "GET" || !request.Header("authorization").empty())) {
      call.headers.emplace_back("content-type", "application/json");
    }
    Serve(*target.method,
          absl::StrCat("/", target.method->service()->full_name(), "/", target.method->name()),
          call, std::move(exchange), [&]() {
            AliasFields fields = request.query;
            for (const auto& [name, value] :
                 target.path.Match(request.path).value_or(http::PathTemplate::Values())) {
              fields.emplace_back(name, value);
            }
            return AliasBody(*target.method->input_type(), request.body, fields);
          });
  }

  // `body`: what the message is made of, called once its caller may make the call; else it is the
  // request's.
  void Serve(const MethodDescriptor& method, const std::string& path, const http::Request& request,
             std::shared_ptr<http::Exchange> exchange,
             const std::function<absl::StatusOr<std::string>()>& body = nullptr) {
    std::string correlation_id(
        GivenCorrelationId([&request](std::string_view name) { return request.Header(name); }));
    if (correlation_id.empty()) correlation_id = rpc::NewCorrelationId();
    exchange = Correlated(std::move(exchange), correlation_id);
    // By the media type alone: "; charset=utf-8" may follow.
    const std::string_view type = request.Header("content-type");
    if (!absl::StartsWithIgnoreCase(Abs(type), "application/json")) {
      exchange->Respond(http::JsonError(415, "unsupported_media_type",
                                        "Send a JSON body with 'content-type: application/json'."));
      return;
    }
    std::vector<std::pair<std::string, std::string>> caller;
    if (options_.access != nullptr) {
      const rpc::Access::Verdict verdict = options_.access->Judge(PresentedBy(request, path));
      if (!verdict.status.ok()) {
        return exchange->Respond(ErrorResponse(rpc::ToGrpcStatus(verdict.status)));
      }
      if (verdict.principal != nullptr) {
        caller = options_.access->OnBehalfOf(*verdict.principal, request.remote_ip);
      }
    }
    absl::StatusOr<std::string> made = std::string();
    if (body) made = body();
    if (!made.ok()) return exchange->Respond(ErrorResponse(rpc::ToGrpcStatus(made.status())));
    auto message = FromJson(*method.input_type(), body ? *made : request.body);
    if (!message.ok()) return exchange->Respond(ErrorResponse(rpc::ToGrpcStatus(message.status())));
    CallSetup setup{.stub = {},
                    .method = &method,
                    .path = path,
                    .request = *std::move(message),
                    .correlation_id = std::move(correlation_id),
                    .metadata = std::move(caller),
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
  std::vector<AliasedMethod> aliases_;
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
