#pragma once

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/metrics/metrics.h"
#include "common/rpc/tls.h"

namespace spillway::rpc {

// A server's certificate, key and authorities, from files that may be replaced while it runs. Asked
// at each handshake. Thread-safe; outlives the server.
class ReloadedTls {
 public:
  // InvalidArgument as of LoadTls. `clock` outlives this.
  static absl::StatusOr<std::shared_ptr<ReloadedTls>> Load(const TlsFiles& files,
                                                           const Clock& clock);

  bool mutual() const { return !files_.ca.empty(); }
  // What is to be used from now on, if that is something else than was said last. Looks at the
  // files every kTlsLookInterval; those that are unfit are logged and counted, and change nothing.
  bool TakeNew(TlsMaterial* material);
  const metrics::AtomicCounter& failures() const { return failures_; }

 private:
  ReloadedTls(const TlsFiles& files, const Clock& clock) : files_(files), watch_(files, clock) {}

  const TlsFiles files_;
  metrics::AtomicCounter failures_;
  Mutex mutex_;
  TlsFilesWatch watch_ SPILLWAY_GUARDED_BY(mutex_);
  TlsMaterial first_ SPILLWAY_GUARDED_BY(mutex_);
  bool said_ SPILLWAY_GUARDED_BY(mutex_) = false;
};

}  // namespace spillway::rpc
