#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "common/metrics/metrics.h"
#include "common/rpc/tls.h"
#include "services/edge/ws/tls_server.h"

namespace spillway::edge {

// The public listener's TLS and the files it comes from, which may be replaced while the edge runs.
// For main's thread, but for server() and the metrics.
class PublicTls {
 public:
  // How often the files are looked at.
  static constexpr std::chrono::minutes kLookInterval = rpc::kTlsLookInterval;

  // InvalidArgument says what is wrong with which file. `clock` outlives this.
  static absl::StatusOr<std::unique_ptr<PublicTls>> Load(const rpc::TlsFiles& files,
                                                         const ws::TlsServer::Options& options,
                                                         const Clock& clock);

  // For the workers.
  ws::TlsServer& server() { return *server_; }

  // When it is time, and a file is another than before, new clients get what is there now. What is
  // unfit is logged and looked at again the next time; the old certificate stays.
  void Update();

  // When the certificate ends, in seconds since the epoch.
  double expires_seconds();
  const metrics::Counter& reload_failures() const { return reload_failures_; }

 private:
  PublicTls(const rpc::TlsFiles& files, const Clock& clock)
      : files_(files), clock_(clock), watch_(files, clock) {}
  absl::StatusOr<ws::TlsCredentials> Read() const;
  void WarnIfExpired();

  const rpc::TlsFiles files_;
  const Clock& clock_;
  std::unique_ptr<ws::TlsServer> server_;
  rpc::TlsFilesWatch watch_;  // began before they were read: what changes meanwhile is read again
  metrics::Counter reload_failures_;
};

}  // namespace spillway::edge
