#include "common/rpc/port_credentials.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"

namespace spillway::rpc {
namespace {

std::string_view View(const grpc_slice& slice) {
  return {reinterpret_cast<const char*>(GRPC_SLICE_START_PTR(slice)), GRPC_SLICE_LENGTH(slice)};
}

// grpc_auth_metadata_processor: asks the authorizer with what the call's metadata says.
void Process(void* state, grpc_auth_context* /*context*/, const grpc_metadata* metadata,
             size_t size, grpc_process_auth_metadata_done_cb done, void* user_data) {
  const auto& authorize = *static_cast<const Authorizer*>(state);
  std::string_view method;
  std::string_view authorization;
  bool repeated = false;
  for (size_t i = 0; i < size; ++i) {
    const std::string_view key = View(metadata[i].key);
    if (key == ":path") {
      method = View(metadata[i].value);
    } else if (key == "authorization") {
      repeated = repeated || !authorization.empty();
      authorization = View(metadata[i].value);
    }
  }
  // With two, which of them counts would depend on who looks.
  const absl::Status status =
      repeated ? absl::UnauthenticatedError("the metadata has 'authorization' more than once")
               : authorize(method, authorization);
  const std::string message(status.message());
  done(user_data, nullptr, 0, nullptr, 0, static_cast<grpc_status_code>(status.code()),
       message.c_str());
}

void Destroy(void* state) { delete static_cast<Authorizer*>(state); }

class Credentials final : public grpc::ServerCredentials {
 public:
  Credentials(std::optional<TlsMaterial> tls, Authorizer authorize)
      : tls_(std::move(tls)), authorize_(std::move(authorize)) {}

  // Ours is set in AddPortToServer; nobody else has access to this object.
  void SetAuthMetadataProcessor(
      const std::shared_ptr<grpc::AuthMetadataProcessor>& /*processor*/) override {}

 private:
  grpc_server_credentials* Create() const {
    if (!tls_.has_value()) return grpc_insecure_server_credentials_create();
    const grpc_ssl_pem_key_cert_pair pair{tls_->key.c_str(), tls_->cert.c_str()};
    const bool mutual = !tls_->ca.empty();
    auto* config =
        grpc_ssl_server_certificate_config_create(mutual ? tls_->ca.c_str() : nullptr, &pair, 1);
    auto* options = grpc_ssl_server_credentials_create_options_using_config(
        mutual ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
               : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
        config);
    return grpc_ssl_server_credentials_create_with_options(options);
  }

  int AddPortToServer(const std::string& address, grpc_server* server) override {
    grpc_server_credentials* credentials = Create();
    if (credentials == nullptr) return 0;
    if (authorize_) {
      grpc_server_credentials_set_auth_metadata_processor(
          credentials, {Process, Destroy, new Authorizer(authorize_)});
    }
    const int port = grpc_server_add_http2_port(server, address.c_str(), credentials);
    grpc_server_credentials_release(credentials);  // the port keeps its own reference
    return port;
  }

  const std::optional<TlsMaterial> tls_;
  const Authorizer authorize_;
};

}  // namespace

std::shared_ptr<grpc::ServerCredentials> PortCredentials(std::optional<TlsMaterial> tls,
                                                         Authorizer authorize) {
  return std::make_shared<Credentials>(std::move(tls), std::move(authorize));
}

}  // namespace spillway::rpc
