#pragma once

#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/channel/channel_pattern.h"
#include "common/rpc/access.h"
#include "spillway/v1/config_ingest.pb.h"

namespace spillway::ingest {

// Where one publisher may publish. Immutable; any thread. Asking allocates nothing.
struct PublishGrant {
  bool everything = false;
  std::vector<ChannelPattern> channels = {};  // of ephemeral events
  std::vector<ChannelPattern> topics = {};    // of durable ones

  // `channel`: a valid name.
  bool AllowsChannel(std::string_view channel) const;
  bool AllowsTopic(std::string_view topic) const;
};

// Those of everybody who may publish. Immutable; any thread.
class PublishGrants {
 public:
  // Everybody may publish everything.
  PublishGrants() = default;
  // In the order in which app::CallersOf has the callers. InvalidArgument begins with the key.
  static absl::StatusOr<PublishGrants> Create(const v1::PublishConfig& config);

  // Null: nothing may be published.
  const PublishGrant* Of(const rpc::Principal& principal) const;

 private:
  PublishGrant anybody_{.everything = true};
  std::vector<PublishGrant> grants_;
};

}  // namespace spillway::ingest
