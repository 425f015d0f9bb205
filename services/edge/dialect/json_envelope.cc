#include "services/edge/dialect/json_envelope.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/strings.h"

namespace spillway::edge {
namespace {

using enum JsonField;

struct MessageForm {
  std::string_view name;
  bool may_be_empty;
  JsonFields fields;
  std::string_view text;
};

// In the order of JsonMessage.
constexpr MessageForm kForms[kJsonMessages] = {
    {"connected",
     true,
     {kConnectionId, kUserId, kNode, kProtocol, kHeartbeatMs, kNowMs, kNowIso, kExpiresMs},
     R"({"type":"connected","connection":{connection_id},"user":{user_id},"node":{node},)"
     R"("protocol":{protocol},"heartbeat_ms":{heartbeat_ms},"time":{now_ms},)"
     R"("expires":{expires_ms?}})"},
    {"subscribed",
     true,
     {kClientId, kChannel, kSnapshot, kFrequency, kPosition},
     R"({"type":"subscribed","id":{id?},"channel":{channel},"snapshot":{snapshot},)"
     R"("frequency":{frequency?},"position":{position?}})"},
    {"updated",
     true,
     {kClientId, kChannel, kFrequency},
     R"({"type":"updated","id":{id?},"channel":{channel},"frequency":{frequency}})"},
    {"unsubscribed",
     true,
     {kClientId, kChannel},
     R"({"type":"unsubscribed","id":{id?},"channel":{channel}})"},
    {"event",
     false,
     {kChannel, kPattern, kMatched, kType, kSlot, kOffset, kTimeMs, kTimeIso, kKey, kData,
      kEphemeral, kDeleted, kTraceId},
     R"({"type":"event","channel":{channel?},"pattern":{pattern?},"event":{type},)"
     R"("slot":{slot?},"offset":{offset?},)"
     R"("ephemeral":{ephemeral?},"time":{time_ms},"key":{key?},"deleted":{deleted?},"data":{data}})"},
    {"snapshot",
     true,
     {kChannel, kEvents, kLast, kPosition, kComplete, kSinceMs},
     R"({"type":"snapshot","channel":{channel},"events":{events},"last":{last},)"
     R"("position":{position?},"complete":{complete?},"since":{since_ms?}})"},
    {"snapshot_event",
     false,
     {kChannel, kPattern, kMatched, kType, kSlot, kOffset, kTimeMs, kTimeIso, kKey, kData,
      kTraceId},
     R"({"event":{type},"channel":{matched?},"slot":{slot?},"offset":{offset?},"time":{time_ms},"key":{key?},)"
     R"("data":{data}})"},
    {"joined",
     true,
     {kChannel, kPosition},
     R"({"type":"joined","channel":{channel},"position":{position}})"},
    {"checkpoint",
     true,
     {kChannel, kPosition},
     R"({"type":"checkpoint","channel":{channel},"position":{position}})"},
    {"gap",
     false,
     {kChannel, kSlot, kSource, kFrom, kTo, kCount, kReason},
     R"({"type":"gap","channel":{channel},"slot":{slot?},"source":{source?},"from":{from?},)"
     R"("to":{to?},"count":{count?},"reason":{reason}})"},
    {"error",
     false,
     {kClientId, kCode, kMessage, kChannel},
     R"({"type":"error","id":{id?},"code":{code},"message":{message},"channel":{channel?}})"},
    {"refreshed",
     true,
     {kClientId, kExpiresMs},
     R"({"type":"refreshed","id":{id?},"expires":{expires_ms?}})"},
    {"expiring", true, {kExpiresMs}, R"({"type":"expiring","expires":{expires_ms}})"},
    {"ping", true, {kNowMs, kNowIso}, R"({"type":"ping","time":{now_ms}})"},
    {"pong", true, {kClientId, kNowMs, kNowIso}, R"({"type":"pong","id":{id?},"time":{now_ms}})"},
    {"ephemeral_gap", false, {kChannel}, R"({"type":"ephemeral_gap","channel":{channel}})"},
    {"moving",
     true,
     {kWithinMs, kAddress},
     R"({"type":"moving","within_ms":{within_ms},"address":{address?}})"},
    {"staying", true, {}, R"({"type":"staying"})"},
    {"closing",
     true,
     {kReconnect, kAfterMs},
     R"({"type":"closing","reconnect":{reconnect},"after_ms":{after_ms?}})"},
    {"redirect",
     true,
     {kNode, kAddress},
     R"({"type":"redirect","node":{node},"address":{address?}})"},
    {"published",
     true,
     {kClientId, kChannel, kDurable, kDuplicate, kPartition, kOffset},
     R"({"type":"published","id":{id?},"channel":{channel},"durable":{durable},)"
     R"("duplicate":{duplicate?},"partition":{partition?},"offset":{offset?}})"},
};

absl::Status Wrong(std::string_view name, std::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("envelope template '", Abs(name), "': ", Abs(what)));
}

absl::Status CheckNames(const std::map<std::string, std::string, std::less<>>& overrides) {
  for (const auto& [name, text] : overrides) {
    bool known = false;
    for (const MessageForm& form : kForms) known |= form.name == name;
    if (known) continue;
    std::string what = "there is no such message; there are";
    for (const MessageForm& form : kForms) absl::StrAppend(&what, " ", Abs(form.name));
    return Wrong(name, what);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<JsonEnvelope> JsonEnvelope::Compile(
    const std::map<std::string, std::string, std::less<>>& overrides) {
  if (absl::Status status = CheckNames(overrides); !status.ok()) return status;
  JsonEnvelope envelope;
  envelope.is_default_ = overrides.empty();
  for (size_t i = 0; i < kJsonMessages; ++i) {
    const MessageForm& form = kForms[i];
    const auto it = overrides.find(form.name);
    std::string_view text = it == overrides.end() ? form.text : std::string_view(it->second);
    if (static_cast<JsonMessage>(i) == JsonMessage::kSnapshot && text == "events") {
      envelope.snapshot_as_events_ = true;
      text = {};
    }
    absl::StatusOr<JsonTemplate> compiled = JsonTemplate::Compile(text, form.fields);
    if (!compiled.ok()) return Wrong(form.name, Std(compiled.status().message()));
    if (compiled->empty() && !form.may_be_empty) {
      return Wrong(form.name, "this message cannot be left out");
    }
    envelope.templates_[i] = *std::move(compiled);
  }
  return envelope;
}

}  // namespace spillway::edge
