#include "tools/load/tls_client.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>

#include "absl/strings/str_cat.h"

namespace spillway::load {
namespace {

// Where a connection keeps whose session it will get: the slot of `sessions_`.
int SessionSlotIndex() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

}  // namespace

TlsClient::TlsClient(const ClientOptions& options)
    : options_(options), sessions_(options.targets.size()) {}

absl::StatusOr<std::unique_ptr<TlsClient>> TlsClient::Create(const ClientOptions& options) {
  std::unique_ptr<TlsClient> tls(new TlsClient(options));
  tls->context_ = SSL_CTX_new(TLS_client_method());
  SSL_CTX* const context = tls->context_;
  if (context == nullptr) return absl::InternalError(absl::StrCat("TLS: ", Error()));
  // Idle connections hold no buffers; a write may be tried again from another place in memory.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  const bool trusted = options.tls_ca.empty()
                           ? SSL_CTX_set_default_verify_paths(context) == 1
                           : SSL_CTX_load_verify_file(context, options.tls_ca.c_str()) == 1;
  if (!trusted) {
    return absl::InvalidArgumentError(absl::StrCat("tls_ca ", options.tls_ca, ": ", Error()));
  }
  SSL_CTX_set_verify(context, options.tls_insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
  if (options.tls_resume) {
    SSL_CTX_set_session_cache_mode(context,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(context, [](SSL* ssl, SSL_SESSION* session) {
      auto* const slot = static_cast<SSL_SESSION**>(SSL_get_ex_data(ssl, SessionSlotIndex()));
      if (slot == nullptr) return 0;
      SSL_SESSION_free(*slot);
      *slot = session;
      return 1;  // the reference is ours now
    });
  }
  return tls;
}

TlsClient::~TlsClient() {
  for (SSL_SESSION* session : sessions_) SSL_SESSION_free(session);
  SSL_CTX_free(context_);
}

ssl_st* TlsClient::New(int fd, size_t target) {
  SSL* const ssl = SSL_new(context_);
  if (ssl == nullptr) return nullptr;
  const std::string& name = options_.targets[target].name;
  if (SSL_set_fd(ssl, fd) != 1 || SSL_set_tlsext_host_name(ssl, name.c_str()) != 1 ||
      (!options_.tls_insecure && SSL_set1_host(ssl, name.c_str()) != 1) ||
      SSL_set_ex_data(ssl, SessionSlotIndex(), &sessions_[target]) != 1) {
    SSL_free(ssl);
    return nullptr;
  }
  if (sessions_[target] != nullptr) SSL_set_session(ssl, sessions_[target]);
  SSL_set_connect_state(ssl);
  return ssl;
}

std::string TlsClient::Error() {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_peek_last_error(), text.data(), text.size());
  ERR_clear_error();
  return text.data();
}

}  // namespace spillway::load
