#include "common/rpc/correlation.h"

#include <grpcpp/client_context.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/server_interceptor.h>
#include <openssl/rand.h>

#include <array>
#include <cstdint>
#include <map>
#include <string_view>

#include "common/base/correlation_id.h"

namespace spillway::rpc {
namespace {

namespace gx = grpc::experimental;
using Metadata = std::multimap<grpc::string_ref, grpc::string_ref>;

std::string_view Given(const Metadata& metadata) {
  return GivenCorrelationId([&metadata](std::string_view name) -> std::string_view {
    const auto found = metadata.find(grpc::string_ref(name.data(), name.size()));
    if (found == metadata.end()) return {};
    return {found->second.data(), found->second.size()};
  });
}

class Interceptor final : public gx::Interceptor {
 public:
  explicit Interceptor(grpc::ServerContextBase* context) : context_(context) {}

  void Intercept(gx::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(
            gx::InterceptionHookPoints::POST_RECV_INITIAL_METADATA)) {
      Metadata& metadata = *methods->GetRecvInitialMetadata();
      id_ = Given(metadata);
      if (id_.empty()) id_ = NewCorrelationId();
      // From here on whoever asks is told the one that counts.
      const grpc::string_ref name(kCorrelationHeader.data(), kCorrelationHeader.size());
      metadata.erase(name);
      metadata.emplace(name, id_);
      context_->AddInitialMetadata(std::string(kCorrelationHeader), id_);
      context_->AddTrailingMetadata(std::string(kCorrelationHeader), id_);
    }
    methods->Proceed();
  }

 private:
  grpc::ServerContextBase* const context_;
  std::string id_;  // the metadata refers to it: this lives as long as the call
};

class Factory final : public gx::ServerInterceptorFactoryInterface {
 public:
  gx::Interceptor* CreateServerInterceptor(gx::ServerRpcInfo* info) override {
    using Type = gx::ServerRpcInfo::Type;
    // Of the others each message would pass here: the link's and those of reads are not to.
    const std::string_view method = info->method();
    if (method.starts_with("/spillway.v1.ReadService/")) return nullptr;
    if (info->type() != Type::UNARY && info->type() != Type::SERVER_STREAMING) return nullptr;
    return new Interceptor(info->server_context());
  }
};

}  // namespace

std::string CorrelationIdOf(const grpc::ServerContextBase& context) {
  return std::string(Given(context.client_metadata()));
}

void AddCorrelationId(const std::string& id, grpc::ClientContext* context) {
  if (!id.empty()) context->AddMetadata(std::string(kCorrelationHeader), id);
}

std::string NewCorrelationId() {
  std::array<uint8_t, 16> bytes{};
  RAND_bytes(bytes.data(), static_cast<int>(bytes.size()));
  return HexId(bytes.data(), bytes.size());
}

std::unique_ptr<gx::ServerInterceptorFactoryInterface> NewCorrelationInterceptors() {
  return std::make_unique<Factory>();
}

}  // namespace spillway::rpc
