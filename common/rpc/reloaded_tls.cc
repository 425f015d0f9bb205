#include "common/rpc/reloaded_tls.h"

#include "common/base/strings.h"
#include "common/log/log.h"

namespace spillway::rpc {

absl::StatusOr<std::shared_ptr<ReloadedTls>> ReloadedTls::Load(const TlsFiles& files,
                                                               const Clock& clock) {
  // It looks at the files before they are read: what changes meanwhile is read again.
  std::shared_ptr<ReloadedTls> tls(new ReloadedTls(files, clock));
  auto material = LoadTls(files);
  if (!material.ok()) return material.status();
  MutexLock lock(tls->mutex_);
  tls->first_ = *std::move(material);
  return tls;
}

bool ReloadedTls::TakeNew(TlsMaterial* material) {
  MutexLock lock(mutex_);
  if (!said_) {
    said_ = true;
    *material = std::exchange(first_, {});
    return true;
  }
  if (!watch_.Changed()) return false;
  auto loaded = LoadTls(files_);
  if (!loaded.ok()) {
    failures_.Add();
    log::Warn("the TLS files changed and cannot be used; the old certificate stays",
              {{"error", Std(loaded.status().message())}});
    return false;
  }
  watch_.Took();
  log::Info("new TLS certificate for new connections", {{"file", files_.cert}});
  *material = *std::move(loaded);
  return true;
}

}  // namespace spillway::rpc
