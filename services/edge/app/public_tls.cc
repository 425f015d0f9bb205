#include "services/edge/app/public_tls.h"

#include <sys/stat.h>

#include <utility>

#include "common/base/strings.h"
#include "common/log/log.h"

namespace spillway::edge {

absl::StatusOr<std::unique_ptr<PublicTls>> PublicTls::Load(const rpc::TlsFiles& files,
                                                           const ws::TlsServer::Options& options,
                                                           const Clock& clock) {
  std::unique_ptr<PublicTls> tls(new PublicTls(files, clock));
  tls->looked_ = clock.Now();
  tls->stamps_ = tls->Look();  // first: what changes meanwhile is read again
  const auto credentials = tls->Read();
  if (!credentials.ok()) return credentials.status();
  auto server = ws::TlsServer::Create(*credentials, options, clock);
  if (!server.ok()) return server.status();
  tls->server_ = *std::move(server);
  tls->WarnIfExpired();
  return tls;
}

absl::StatusOr<ws::TlsCredentials> PublicTls::Read() const {
  auto material = rpc::LoadTls(files_);
  if (!material.ok()) return material.status();
  return ws::TlsCredentials{.cert = std::move(material->cert),
                            .key = std::move(material->key),
                            .client_ca = std::move(material->ca)};
}

PublicTls::Stamps PublicTls::Look() const {
  Stamps stamps;
  const std::array<const std::string*, kFiles> paths = {&files_.cert, &files_.key, &files_.ca};
  for (size_t i = 0; i < kFiles; ++i) {
    struct stat found {};
    if (paths[i]->empty() || ::stat(paths[i]->c_str(), &found) != 0) continue;
    stamps[i] = {.device = found.st_dev,
                 .inode = found.st_ino,
                 .size = found.st_size,
                 .changed_ns = found.st_ctim.tv_sec * 1'000'000'000 + found.st_ctim.tv_nsec};
  }
  return stamps;
}

void PublicTls::Update() {
  const MonoTime now = clock_.Now();
  if (now - looked_ < kLookInterval) return;
  looked_ = now;
  const Stamps stamps = Look();
  if (stamps == stamps_) return;
  auto credentials = Read();
  const absl::Status status =
      credentials.ok() ? server_->Replace(*credentials) : credentials.status();
  if (!status.ok()) {
    reload_failures_.Add();
    log::Warn("the TLS files changed and cannot be used; the old certificate stays",
              {{"error", Std(status.message())}});
    return;
  }
  stamps_ = stamps;
  log::Info("new TLS certificate for new clients", {{"file", files_.cert}});
  WarnIfExpired();
}

void PublicTls::WarnIfExpired() {
  if (server_->expires() > clock_.WallNow()) return;
  log::Warn("the TLS certificate has expired: clients will refuse it", {{"file", files_.cert}});
}

double PublicTls::expires_seconds() {
  return static_cast<double>(ToUnixMillis(server_->expires())) / 1000;
}

}  // namespace spillway::edge
