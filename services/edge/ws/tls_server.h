#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "services/edge/ws/byte_stream.h"
#include "services/edge/ws/counters.h"
#include "services/edge/ws/ticket_keys.h"

using SSL_CTX = struct ssl_ctx_st;

namespace spillway::edge::ws {

// What a listener proves itself with, in PEM.
struct TlsCredentials {
  std::string cert;       // the leaf first, then the chain
  std::string key;        // the leaf's, not encrypted
  std::string client_ca;  // not empty: clients must show a certificate of these authorities
};

// TLS 1.2 and 1.3 for the clients of a listener. Sessions are resumed by tickets, so nothing is
// remembered here of clients that left. Any thread; outlives the streams it makes.
class TlsServer {
 public:
  struct Options {
    // Let the kernel encrypt, where OpenSSL and the kernel can (kTLS); else it is done here.
    bool kernel = false;
  };

  // InvalidArgument says what is wrong with the credentials. `clock` outlives the server.
  static absl::StatusOr<std::unique_ptr<TlsServer>> Create(const TlsCredentials& credentials,
                                                           const Options& options,
                                                           const Clock& clock);
  ~TlsServer();

  // From the next client on. Who is connected stays so, and tickets stay good. On an error nothing
  // changes.
  absl::Status Replace(const TlsCredentials& credentials);

  // TLS, yet to be shaken hands on, over a connected non-blocking socket, which it owns. Null, and
  // the socket is closed, without memory. `counters` are those of the calling worker.
  std::unique_ptr<ByteStream> Accept(int fd, WorkerCounters& counters);

  // When the leaf certificate ends.
  WallTime expires();

 private:
  struct Current {
    std::shared_ptr<SSL_CTX> context;
    WallTime expires;
  };

  TlsServer(const Options& options, const Clock& clock) : options_(options), keys_(clock) {}
  absl::StatusOr<Current> Make(const TlsCredentials& credentials);

  const Options options_;
  TicketKeys keys_;
  Mutex mutex_;
  Current current_ SPILLWAY_GUARDED_BY(mutex_);
};

}  // namespace spillway::edge::ws
