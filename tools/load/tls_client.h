#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/load/run_options.h"

struct ssl_ctx_st;
struct ssl_st;
struct ssl_session_st;

namespace spillway::load {

// TLS of a worker's connections: OpenSSL on their descriptors. One thread.
class TlsClient {
 public:
  static absl::StatusOr<std::unique_ptr<TlsClient>> Create(const ClientOptions& options);
  ~TlsClient();
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  // A connection's half, which the caller frees with SSL_free; null if out of memory. Offers the
  // last session that the target gave, if it was to be kept.
  ssl_st* New(int fd, size_t target);

  // The newest of OpenSSL's errors on this thread.
  static std::string Error();

 private:
  explicit TlsClient(const ClientOptions& options);

  const ClientOptions& options_;
  ssl_ctx_st* context_ = nullptr;
  std::vector<ssl_session_st*> sessions_;  // by target
};

}  // namespace spillway::load
