#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "common/base/clock.h"

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

// How often files that are in use are looked at again.
inline constexpr std::chrono::minutes kTlsLookInterval{1};

// Whether files are others than those that were taken last. For one thread at a time.
class TlsFilesWatch {
 public:
  // Looks at once. `clock` outlives this.
  TlsFilesWatch(TlsFiles files, const Clock& clock);

  // When it is time to look again, and they changed since Took(): until that is called.
  bool Changed();
  // What was there at the last look is in use.
  void Took() { taken_ = seen_; }

 private:
  // Of one file: what another content changes.
  struct Stamp {
    uint64_t device = 0;
    uint64_t inode = 0;
    int64_t size = -1;
    int64_t changed_ns = 0;
    bool operator==(const Stamp&) const = default;
  };
  using Stamps = std::array<Stamp, 3>;  // certificate, key, CA
  Stamps Look() const;

  const TlsFiles files_;
  const Clock& clock_;
  MonoTime looked_;
  Stamps seen_;
  Stamps taken_;
};

}  // namespace spillway::rpc
