#include "common/rpc/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/server_interceptor.h>

#include <mutex>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/rpc/correlation.h"
#include "common/rpc/port_credentials.h"
#include "common/rpc/reloaded_tls.h"
#include "grpc/health/v1/health.pb.h"

namespace spillway::rpc {
namespace {

void EnablePlugins() {
  static std::once_flag once;  // gRPC keeps these for the process
  std::call_once(once, [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    // Naming the message links its description in, which reflection serves.
    (void)grpc::health::v1::HealthCheckRequest::descriptor();
  });
}

void Configure(const ServerOptions& options, grpc::ServerBuilder* builder) {
  builder->SetMaxReceiveMessageSize(options.max_message_bytes);
  builder->SetMaxSendMessageSize(options.max_message_bytes);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS,
                              static_cast<int>(kKeepaliveInterval.count()));
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                              static_cast<int>(kKeepaliveTimeout.count()));
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                              static_cast<int>(kLeastPingInterval.count()));
  // A taken port must be an error, not a port shared with the process that has it.
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // Only reflection is served synchronously: one thread waits for it.
  builder->SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::NUM_CQS, 1);
  builder->SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::MIN_POLLERS, 1);
  builder->SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::MAX_POLLERS, 2);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options) {
  std::shared_ptr<ReloadedTls> tls;
  if (options.tls.enabled()) {
    if (options.tls.cert.empty()) {
      return absl::InvalidArgumentError("a TLS server needs a certificate and a key file");
    }
    auto loaded = ReloadedTls::Load(options.tls, *options.clock);
    if (!loaded.ok()) return loaded.status();
    tls = *std::move(loaded);
  }
  EnablePlugins();
  grpc::ServerBuilder builder;
  Configure(options, &builder);
  for (grpc::Service* service : options.services) builder.RegisterService(service);
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(NewCorrelationInterceptors());
  builder.experimental().SetInterceptorCreators(std::move(interceptors));
  auto server = std::unique_ptr<Server>(new Server);
  builder.AddListeningPort(options.address, PortCredentials(tls.get(), options.access),
                           &server->port_);
  server->tls_ = std::move(tls);
  server->server_ = builder.BuildAndStart();
  if (server->server_ == nullptr) {
    return absl::UnavailableError(absl::StrCat("cannot serve gRPC on '", options.address,
                                               "': is the address right and the port free?"));
  }
  // A unix socket has no port; the library says 1.
  if (options.address.starts_with("unix:")) server->port_ = 0;
  return server;
}

Server::~Server() { Shutdown(std::chrono::milliseconds(0)); }

uint64_t Server::tls_reload_failures() const {
  return tls_ == nullptr ? 0 : tls_->failures().Value();
}

std::shared_ptr<grpc::Channel> Server::InProcess() { return server_->InProcessChannel({}); }

void Server::SetServing(bool serving) {
  server_->GetHealthCheckService()->SetServingStatus(serving);
}

void Server::Shutdown(std::chrono::milliseconds grace) {
  if (stopped_ || server_ == nullptr) return;
  stopped_ = true;
  SetServing(false);
  server_->Shutdown(std::chrono::system_clock::now() + grace);
}

}  // namespace spillway::rpc
