#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "common/auth/jwt.h"
#include "common/auth/key_refresher.h"
#include "common/auth/key_source.h"
#include "common/base/clock.h"
#include "common/fetch/http_fetcher.h"
#include "spillway/v1/config_edge.pb.h"

namespace spillway::edge {

// The keys that tokens are verified with: from the configuration, from files that may be replaced,
// and from addresses; each place once, whatever the number of issuers that name it. One thread of
// its own loads them anew. Owned by EndpointSet; outlives the verifiers.
class TokenKeys {
 public:
  // How often files are looked at.
  static constexpr std::chrono::minutes kLookInterval{1};

  explicit TokenKeys(const Clock& clock) : clock_(clock) {}
  ~TokenKeys() { Stop(); }

  // Reads files at once, and nothing from the network. InvalidArgument begins with the key that is
  // wrong; `path` is the issuer's. Before Start().
  absl::StatusOr<auth::JwtIssuer> IssuerOf(const v1::IssuerConfig& config, const std::string& path);

  void Start();
  // Does not wait for the network. Idempotent.
  void Stop();

  struct Source {
    std::string name;
    bool remote = false;
    auth::KeySource::Status status;
  };
  // Of those that may change; any thread.
  std::vector<Source> sources() const;

 private:
  absl::StatusOr<std::shared_ptr<auth::KeySource>> SourceOf(const v1::IssuerConfig& config,
                                                            const std::string& path,
                                                            auth::AlgorithmSet algorithms);
  absl::StatusOr<std::shared_ptr<auth::KeySource>> FileOf(const std::string& path,
                                                          auth::KeySource::Format format,
                                                          auth::AlgorithmSet algorithms);
  std::shared_ptr<auth::KeySource> UrlOf(const v1::IssuerConfig& config,
                                         auth::AlgorithmSet algorithms);

  const Clock& clock_;
  fetch::HttpFetcher fetcher_;
  // By what distinguishes them.
  absl::flat_hash_map<std::string, std::shared_ptr<auth::KeySource>> by_place_;
  std::vector<auth::KeySource*> changing_;
  std::unique_ptr<auth::KeyRefresher> refresher_;
};

}  // namespace spillway::edge
