#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace spillway::rpc {

// Where the PEM files of one end are. All empty: plain text.
struct TlsFiles {
  std::string cert;  // this end's certificate, leaf first; a server must have one
  std::string key;   // its private key, not encrypted
  // A server: asks for and requires client certificates of these authorities. A client: trusts
  // these authorities in place of the system's.
  std::string ca;

  bool enabled() const { return !cert.empty() || !key.empty() || !ca.empty(); }
};

// Their contents, checked.
struct TlsMaterial {
  std::string cert;
  std::string key;
  std::string ca;
};

// Reads and checks: PEM, and that key and certificate belong together. gRPC itself would accept
// anything here and fail each handshake later. InvalidArgument names the file and what is wrong
// with it.
absl::StatusOr<TlsMaterial> LoadTls(const TlsFiles& files);

}  // namespace spillway::rpc
