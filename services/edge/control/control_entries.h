#pragma once

#include <chrono>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "services/edge/session/blocks.h"
#include "spillway/v1/admin.pb.h"

namespace spillway::edge {

// Makes entries of what operators ask for: InvalidArgument says what to send instead, NotFound that
// there is nothing to lift. An entry is issued now, or just after the state that this node knows of
// its key, should another node's clock be ahead. Any thread.
class ControlEntries {
 public:
  struct Options {
    std::string node_id;
    std::chrono::milliseconds revocation_ttl{0};
  };
  // A revocation ends so long after its token: verifiers allow for clocks that are off.
  static constexpr std::chrono::minutes kTokenMargin{10};

  // What it is given outlives it.
  ControlEntries(Options options, const Blocks& blocks, const Clock& clock)
      : options_(std::move(options)), blocks_(blocks), clock_(clock) {}

  absl::StatusOr<v1::ControlEntry> Of(const v1::BlockIpRequest& request) const;
  absl::StatusOr<v1::ControlEntry> Of(const v1::BlockUserRequest& request) const;
  absl::StatusOr<v1::ControlEntry> Of(const v1::RevokeTokenRequest& request) const;
  absl::StatusOr<v1::ControlEntry> Of(const v1::RevokeUserTokensRequest& request) const;
  absl::StatusOr<v1::ControlEntry> Of(const v1::UnblockRequest& request) const;

 private:
  absl::StatusOr<v1::ControlEntry> Make(v1::ControlKind kind, const char* field,
                                        const std::string& subject,
                                        const std::string& reason) const;
  absl::Status SetTtl(int64_t ttl_ms, v1::ControlEntry* entry) const;

  const Options options_;
  const Blocks& blocks_;
  const Clock& clock_;
};

}  // namespace spillway::edge
