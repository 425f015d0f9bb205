#include "common/rpc/port_credentials.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/base/mutex.h"

namespace spillway::rpc {
namespace {

std::string_view View(const grpc_slice& slice) {
  return {reinterpret_cast<const char*>(GRPC_SLICE_START_PTR(slice)), GRPC_SLICE_LENGTH(slice)};
}

using AccessRef = std::shared_ptr<const Access>;

std::vector<std::string_view> ValuesOf(const grpc_auth_context* context, const char* name) {
  std::vector<std::string_view> values;
  grpc_auth_property_iterator at = grpc_auth_context_find_properties_by_name(context, name);
  while (const grpc_auth_property* property = grpc_auth_property_iterator_next(&at)) {
    values.emplace_back(property->value, property->value_length);
  }
  return values;
}

// What Process is given. gRPC passes it from the thread that opens the port to threads of its own;
// the lock shows that to ThreadSanitizer, which does not see into the library.
class Doorkeeper {
 public:
  explicit Doorkeeper(AccessRef access) : access_(std::move(access)) { Handoff(); }

  absl::Status Judge(const Presented& presented) {
    Handoff();
    return access_->Judge(presented).status;
  }

 private:
  void Handoff() { MutexLock lock(handoff_); }

  Mutex handoff_;
  const AccessRef access_;
};

// grpc_auth_metadata_processor: asks with what the call's metadata and its connection say.
void Process(void* state, grpc_auth_context* context, const grpc_metadata* metadata, size_t size,
             grpc_process_auth_metadata_done_cb done, void* user_data) {
  Presented presented;
  for (size_t i = 0; i < size; ++i) {
    const std::string_view key = View(metadata[i].key);
    if (key == ":path") {
      presented.method = View(metadata[i].value);
    } else if (key == "authorization") {
      presented.repeated = presented.repeated || presented.authorization.data() != nullptr;
      presented.authorization = View(metadata[i].value);
    }
  }
  const auto subjects = ValuesOf(context, GRPC_X509_SUBJECT_PROPERTY_NAME);
  if (!subjects.empty()) presented.subject = subjects.front();
  presented.sans = ValuesOf(context, GRPC_X509_SAN_PROPERTY_NAME);
  const absl::Status status = static_cast<Doorkeeper*>(state)->Judge(presented);
  const std::string message(status.message());
  done(user_data, nullptr, 0, nullptr, 0, static_cast<grpc_status_code>(status.code()),
       message.c_str());
}

void Destroy(void* state) { delete static_cast<Doorkeeper*>(state); }

// grpc_ssl_server_certificate_config_callback: at the start, and at each handshake.
grpc_ssl_certificate_config_reload_status Fetch(void* state,
                                                grpc_ssl_server_certificate_config** config) {
  auto* tls = static_cast<ReloadedTls*>(state);
  TlsMaterial material;
  if (!tls->TakeNew(&material)) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
  const grpc_ssl_pem_key_cert_pair pair{material.key.c_str(), material.cert.c_str()};
  // Where nobody is asked for a certificate the authorities are not looked at; but gRPC insists on
  // there being some.
  const std::string& authorities = tls->mutual() ? material.ca : material.cert;
  *config = grpc_ssl_server_certificate_config_create(authorities.c_str(), &pair, 1);
  return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
}

class Credentials final : public grpc::ServerCredentials {
 public:
  Credentials(ReloadedTls* tls, AccessRef access) : tls_(tls), access_(std::move(access)) {}

  // Ours is set in AddPortToServer; nobody else has access to this object.
  void SetAuthMetadataProcessor(
      const std::shared_ptr<grpc::AuthMetadataProcessor>& /*processor*/) override {}

 private:
  grpc_server_credentials* Create() const {
    if (tls_ == nullptr) return grpc_insecure_server_credentials_create();
    auto* options = grpc_ssl_server_credentials_create_options_using_config_fetcher(
        tls_->mutual() ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                       : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
        Fetch, tls_);
    return grpc_ssl_server_credentials_create_with_options(options);
  }

  int AddPortToServer(const std::string& address, grpc_server* server) override {
    grpc_server_credentials* credentials = Create();
    if (credentials == nullptr) return 0;
    if (access_ != nullptr) {
      grpc_server_credentials_set_auth_metadata_processor(
          credentials, {Process, Destroy, new Doorkeeper(access_)});
    }
    const int port = grpc_server_add_http2_port(server, address.c_str(), credentials);
    grpc_server_credentials_release(credentials);  // the port keeps its own reference
    return port;
  }

  ReloadedTls* const tls_;
  const AccessRef access_;
};

}  // namespace

std::shared_ptr<grpc::ServerCredentials> PortCredentials(ReloadedTls* tls,
                                                         std::shared_ptr<const Access> access) {
  return std::make_shared<Credentials>(tls, std::move(access));
}

}  // namespace spillway::rpc
