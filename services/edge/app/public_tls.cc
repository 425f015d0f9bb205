#include "services/edge/app/public_tls.h"

#include <utility>

#include "common/base/strings.h"
#include "common/log/log.h"

namespace spillway::edge {

absl::StatusOr<std::unique_ptr<PublicTls>> PublicTls::Load(const rpc::TlsFiles& files,
                                                           const ws::TlsServer::Options& options,
                                                           const Clock& clock) {
  std::unique_ptr<PublicTls> tls(new PublicTls(files, clock));
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

void PublicTls::Update() {
  if (!watch_.Changed()) return;
  auto credentials = Read();
  const absl::Status status =
      credentials.ok() ? server_->Replace(*credentials) : credentials.status();
  if (!status.ok()) {
    reload_failures_.Add();
    log::Warn("the TLS files changed and cannot be used; the old certificate stays",
              {{"error", Std(status.message())}});
    return;
  }
  watch_.Took();
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
