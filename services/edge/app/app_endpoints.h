#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/auth/jwt.h"
#include "common/base/clock.h"
#include "services/edge/app/token_keys.h"
#include "services/edge/dialect/event_encoder.h"
#include "services/edge/dialect/json_encoder.h"
#include "services/edge/session/channel_policy.h"
#include "services/edge/session/endpoint.h"
#include "services/edge/session/rate.h"
#include "spillway/v1/config_edge.pb.h"

namespace spillway::edge {

Rate RateOf(const v1::RateConfig& config);

// Whether an endpoint lets anybody negotiate compression.
bool CompressesForSome(const v1::EdgeConfig& config);

// The configured endpoints and what they are made of: encoders, one for each envelope in use, their
// variants, token verifiers and their keys, the channel policy. Immutable but for the variants' use
// counts and the keys. Owned by EdgeApp; outlives everything that serves clients.
class EndpointSet {
 public:
  // InvalidArgument names the key that is wrong. `clock` outlives the set.
  static absl::StatusOr<std::unique_ptr<EndpointSet>> Create(const v1::EdgeConfig& config,
                                                             const Clock& clock);

  VariantTable& variants() { return variants_; }
  std::vector<const Endpoint*> endpoints() const;
  const ChannelPolicy& policy() const { return policy_; }
  // To be started, and stopped before what it serves ends.
  TokenKeys& keys() { return keys_; }
  // For the log: what is allowed and yet unwise.
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  EndpointSet(const CompressionOptions& compression, bool compressed, const Clock& clock)
      : compressed_(compressed), variants_(compression), keys_(clock) {}
  absl::Status Add(const v1::EdgeConfig& config, int index, const auth::JwtVerifier* verifier);
  // Null: nobody's tokens are known. `path`: of the configuration, for errors.
  absl::StatusOr<const auth::JwtVerifier*> AddVerifier(const v1::AuthConfig& config,
                                                       const std::string& path, const Clock& clock);
  absl::StatusOr<VariantId> VariantOf(const v1::EndpointConfig& endpoint,
                                      const JsonCommandLimits& limits);

  struct Encoder {
    std::vector<std::pair<std::string, std::string>> envelope;
    std::unique_ptr<JsonEncoder> encoder;
    VariantId variant;
  };

  const bool compressed_;  // by some endpoint
  ChannelPolicy policy_;
  std::vector<Encoder> encoders_;
  VariantTable variants_;
  TokenKeys keys_;
  std::vector<std::unique_ptr<auth::JwtVerifier>> verifiers_;
  std::vector<std::unique_ptr<Endpoint>> endpoints_;
  std::vector<std::string> warnings_;
};

}  // namespace spillway::edge
