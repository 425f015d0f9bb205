#include "services/edge/ws/tls_server.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/edge/ws/tls_stream.h"

namespace spillway::edge::ws {
namespace {

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Cert = std::unique_ptr<X509, decltype(&X509_free)>;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

// TLS 1.2: forward secrecy and AEAD only. Those of TLS 1.3 are all of that kind.
constexpr char kCiphers12[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr unsigned char kSessionContext[] = "spillway-edge";
constexpr std::string_view kHttp11 = "http/1.1";

absl::Status Failed(const char* what) {
  char reason[256] = "";
  if (const unsigned long error = ERR_get_error(); error != 0) {
    ERR_error_string_n(error, reason, sizeof reason);
  }
  ERR_clear_error();
  return absl::InvalidArgumentError(absl::StrCat(what, reason[0] != '\0' ? ": " : "", reason));
}

// An encrypted key must be an error, not a prompt on the terminal.
int NoPassword(char*, int, int, void*) { return 0; }

Bio ReadBio(const std::string& pem) {
  return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
}

Cert NextCert(BIO* bio) {
  return Cert(PEM_read_bio_X509(bio, nullptr, NoPassword, nullptr), X509_free);
}

// Tickets, sealed as OpenSSL's manual asks: AES-256 in CBC mode and HMAC-SHA-256.
int SealTicket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
               EVP_MAC_CTX* mac, int sealing) {
  auto* keys = static_cast<TicketKeys*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  std::optional<TicketKeys::Key> key;
  if (sealing != 0) {
    key = keys->Current();
    std::copy(key->name.begin(), key->name.end(), name);
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return -1;
  } else {
    key = keys->Find(name);
    if (!key) return 0;  // a whole handshake
  }
  char digest[] = "SHA256";
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac.data(), key->mac.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end()};
  if (EVP_MAC_CTX_set_params(mac, parameters) != 1 ||
      EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key->cipher.data(), iv, sealing) != 1) {
    return -1;
  }
  // A client of TLS 1.3 uses a ticket once, so it needs another (2). An older one keeps it.
  return sealing == 0 && SSL_version(ssl) >= TLS1_3_VERSION ? 2 : 1;
}

// Clients that would rather speak HTTP/2 are told that it is HTTP/1.1 here.
int ChooseProtocol(SSL*, const unsigned char** out, unsigned char* out_size,
                   const unsigned char* offered, unsigned int offered_size, void*) {
  std::string_view rest(reinterpret_cast<const char*>(offered), offered_size);
  while (!rest.empty()) {
    const std::string_view name = rest.substr(1, static_cast<unsigned char>(rest[0]));
    if (name == kHttp11) {
      *out = reinterpret_cast<const unsigned char*>(name.data());
      *out_size = static_cast<unsigned char>(name.size());
      return SSL_TLSEXT_ERR_OK;
    }
    rest.remove_prefix(std::min(rest.size(), name.size() + 1));
  }
  return SSL_TLSEXT_ERR_NOACK;
}

absl::StatusOr<WallTime> SetCertificate(SSL_CTX* context, const TlsCredentials& credentials) {
  const Bio bio = ReadBio(credentials.cert);
  const Cert leaf = NextCert(bio.get());
  if (leaf == nullptr) return Failed("the certificate is not PEM");
  if (SSL_CTX_use_certificate(context, leaf.get()) != 1) return Failed("the certificate is unfit");
  while (Cert issuer = NextCert(bio.get())) {
    if (SSL_CTX_add0_chain_cert(context, issuer.get()) != 1) return Failed("the chain is unfit");
    issuer.release();
  }
  ERR_clear_error();  // the end of the file
  const Key key(
      PEM_read_bio_PrivateKey(ReadBio(credentials.key).get(), nullptr, NoPassword, nullptr),
      EVP_PKEY_free);
  if (key == nullptr) return Failed("the key is not unencrypted PEM");
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
    return Failed("the key does not belong to the certificate");
  }
  std::tm end{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(leaf.get()), &end) != 1) {
    return Failed("the certificate's end is no time");
  }
  return std::chrono::time_point_cast<WallTime::duration>(
      std::chrono::system_clock::from_time_t(::timegm(&end)));
}

absl::Status RequireClientCertificates(SSL_CTX* context, const std::string& pem) {
  const Bio bio = ReadBio(pem);
  bool any = false;
  while (const Cert authority = NextCert(bio.get())) {
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get()) != 1 ||
        SSL_CTX_add_client_CA(context, authority.get()) != 1) {
      return Failed("an authority of clients is unfit");
    }
    any = true;
  }
  ERR_clear_error();  // the end of the file
  if (!any) return absl::InvalidArgumentError("the authorities of clients are not PEM");
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return absl::OkStatus();
}

}  // namespace

TlsServer::~TlsServer() = default;

absl::StatusOr<std::unique_ptr<TlsServer>> TlsServer::Create(const TlsCredentials& credentials,
                                                             const Options& options,
                                                             const Clock& clock) {
  std::unique_ptr<TlsServer> server(new TlsServer(options, clock));
  if (absl::Status status = server->Replace(credentials); !status.ok()) return status;
  return server;
}

absl::Status TlsServer::Replace(const TlsCredentials& credentials) {
  absl::StatusOr<Current> made = Make(credentials);
  if (!made.ok()) return made.status();
  MutexLock lock(mutex_);
  current_ = *std::move(made);
  return absl::OkStatus();
}

absl::StatusOr<TlsServer::Current> TlsServer::Make(const TlsCredentials& credentials) {
  ERR_clear_error();
  const std::shared_ptr<SSL_CTX> owner(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  SSL_CTX* const context = owner.get();
  if (context == nullptr || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_cipher_list(context, kCiphers12) != 1) {
    return Failed("OpenSSL makes no context");
  }
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  if (options_.kernel) SSL_CTX_set_options(context, SSL_OP_ENABLE_KTLS);
  // An idle connection has no buffers. What OpenSSL takes is whole records, so a call that is cut
  // short never has to be repeated as it was.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_session_id_context(context, kSessionContext, sizeof kSessionContext - 1);
  SSL_CTX_set_timeout(context, std::chrono::seconds(TicketKeys::kRotation).count());
  SSL_CTX_set_num_tickets(context, 1);
  SSL_CTX_set_app_data(context, &keys_);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, SealTicket);
  SSL_CTX_set_alpn_select_cb(context, ChooseProtocol, nullptr);
  const absl::StatusOr<WallTime> expires = SetCertificate(context, credentials);
  if (!expires.ok()) return expires.status();
  if (!credentials.client_ca.empty()) {
    absl::Status status = RequireClientCertificates(context, credentials.client_ca);
    if (!status.ok()) return status;
  }
  return Current{owner, *expires};
}

std::unique_ptr<ByteStream> TlsServer::Accept(int fd, WorkerCounters& counters) {
  std::shared_ptr<SSL_CTX> context;
  {
    MutexLock lock(mutex_);
    context = current_.context;
  }
  SSL* const ssl = SSL_new(context.get());
  if (ssl == nullptr) {
    ERR_clear_error();
    ::close(fd);
    return nullptr;
  }
  return std::make_unique<TlsStream>(ssl, fd, options_.kernel, counters);
}

WallTime TlsServer::expires() {
  MutexLock lock(mutex_);
  return current_.expires;
}

}  // namespace spillway::edge::ws
