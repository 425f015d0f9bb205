#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/edge/dialect/json_template.h"

namespace spillway::edge {

// The messages that a server sends.
enum class JsonMessage : uint8_t {
  kConnected,
  kSubscribed,
  kUpdated,
  kUnsubscribed,
  kEvent,
  kSnapshot,
  kSnapshotEvent,  // an element of a snapshot's {events}
  kJoined,
  kCheckpoint,
  kGap,
  kError,
  kRefreshed,
  kExpiring,
  kPing,
  kPong,
  kEphemeralGap,
  kMoving,
  kStaying,
  kClosing,
  kRedirect,
  kPublished,
};
constexpr size_t kJsonMessages = 21;

// The form of all server messages of a variant of the JSON dialect: a template for each, json.v1's
// own where the configuration has none (docs/protocol-json.md). Immutable.
class JsonEnvelope {
 public:
  // `overrides`: templates by message name ("event", "connected", ...); an empty one takes the
  // message out where that is allowed; "events" as the snapshot's template sends its events as
  // ordinary ones. InvalidArgument names the template and the place in it.
  static absl::StatusOr<JsonEnvelope> Compile(
      const std::map<std::string, std::string, std::less<>>& overrides);

  const JsonTemplate& operator[](JsonMessage message) const {
    return templates_[static_cast<size_t>(message)];
  }
  bool snapshot_as_events() const { return snapshot_as_events_; }
  bool is_default() const { return is_default_; }

 private:
  std::array<JsonTemplate, kJsonMessages> templates_;
  bool snapshot_as_events_ = false;
  bool is_default_ = true;
};

}  // namespace spillway::edge
