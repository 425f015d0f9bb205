#include "common/app/tls_files.h"

#include "absl/strings/str_cat.h"
#include "common/base/strings.h"

namespace spillway::app {

absl::StatusOr<rpc::TlsFiles> TlsFilesOf(std::string_view key, const v1::TlsConfig& config) {
  rpc::TlsFiles files{.cert = config.cert_file(), .key = config.key_file(), .ca = config.ca_file()};
  if (const auto material = rpc::LoadTls(files); !material.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(Abs(key), ": ", material.status().message()));
  }
  return files;
}

}  // namespace spillway::app
