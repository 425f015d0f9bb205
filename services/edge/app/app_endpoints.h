#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/auth/jwt.h"
#include "common/base/clock.h"
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
// variants, token verifiers, the channel policy. Immutable but for the variants' use counts. Owned
// by EdgeApp; outlives everything that serves clients.
class EndpointSet {
 public:
  // InvalidArgument names the key that is wrong. `clock` outlives the set.
  static absl::StatusOr<std::unique_ptr<EndpointSet>> Create(const v1::EdgeConfig& config,
                                                             const Clock& clock);

  VariantTable& variants() { return variants_; }
  std::vector<const Endpoint*> endpoints() const;
  const ChannelPolicy& policy() const { return policy_; }
  // For the log: what is allowed and yet unwise.
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  EndpointSet(const CompressionOptions& compression, bool compressed)
      : compressed_(compressed), variants_(compression) {}
  absl::Status Add(const v1::EdgeConfig& config, int index, const Clock& clock);
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
  std::vector<std::unique_ptr<auth::JwtVerifier>> verifiers_;
  std::vector<std::unique_ptr<Endpoint>> endpoints_;
  std::vector<std::string> warnings_;
};

}  // namespace spillway::edge
