#include "services/edge/dialect/json_encoder.h"

#include <string>
#include <utility>

#include "common/base/json_text.h"
#include "services/edge/dialect/json_writer.h"

namespace spillway::edge {
namespace {

constexpr size_t kKeptBuffer = 1 << 20;  // a larger buffer is given back after its message

// The text of a message as a frame.
template <typename Append>
Ref<Frame> Render(const JsonTemplate& form, Append&& append, JsonFields absent = {}) {
  if (form.empty()) return {};
  thread_local std::string buffer;
  buffer.clear();
  form.Render(&buffer, append, absent);
  Ref<Frame> frame = Frame::Make(Opcode::kText, buffer);
  if (buffer.capacity() > kKeptBuffer) std::string().swap(buffer);
  return frame;
}

// Each Append* below returns whether there is such a value.

bool AppendNonEmpty(std::string* out, std::string_view text) {
  if (text.empty()) return false;
  AppendJsonString(out, text);
  return true;
}

bool AppendFlag(std::string* out, bool flag) {
  if (flag) out->append("true");
  return flag;
}

bool AppendNumber(std::string* out, std::optional<int64_t> number) {
  if (!number.has_value()) return false;
  AppendJsonInt(out, *number);
  return true;
}

bool AppendNow(std::string* out, JsonField field, int64_t now_ms) {
  if (field == JsonField::kNowIso) {
    AppendJsonIsoTime(out, now_ms);
  } else {
    AppendJsonInt(out, now_ms);
  }
  return true;
}

// What an event is called in one subscription.
struct EventName {
  std::string_view channel;
  std::string_view pattern;  // empty: the subscription is to the channel
};

EventName NameIn(const EdgeEvent& event, size_t index) {
  if (!event.is_pattern(index)) return {event.channel(index), {}};
  return {event.channel_in(index), event.channel(index)};
}

// The same where it is known what the subscription is to.
EventName NameIn(const EdgeEvent& event, std::string_view subscribed) {
  const size_t index = event.FindChannel(subscribed);
  return index < event.channel_count() ? NameIn(event, index) : EventName{subscribed, {}};
}

bool AppendEventField(std::string* out, JsonField field, const EdgeEvent& event,
                      const EventName& name) {
  const wire::EventView& view = event.view();
  switch (field) {
    case JsonField::kChannel:
      return AppendNonEmpty(out, name.channel);
    case JsonField::kPattern:
      return AppendNonEmpty(out, name.pattern);
    case JsonField::kMatched:
      return !name.pattern.empty() && AppendNonEmpty(out, name.channel);
    case JsonField::kType:
      AppendJsonString(out, view.type);
      return true;
    case JsonField::kSlot:
      if (event.ephemeral()) return false;
      AppendJsonUint(out, event.slot());
      return true;
    case JsonField::kOffset:
      if (event.ephemeral()) return false;
      AppendJsonInt(out, view.offset);
      return true;
    case JsonField::kTimeMs:
    case JsonField::kTimeIso:
      if (view.event_time_us == 0) return false;
      if (field == JsonField::kTimeMs) {
        AppendJsonInt(out, view.event_time_us / 1000);
      } else {
        AppendJsonIsoTime(out, view.event_time_us / 1000);
      }
      return true;
    case JsonField::kKey:
      return AppendNonEmpty(out, view.key);
    case JsonField::kData:
      AppendJsonPayload(out, view);
      return true;
    case JsonField::kEphemeral:
      return AppendFlag(out, event.ephemeral());
    case JsonField::kDeleted:
      return AppendFlag(out, view.tombstone);
    case JsonField::kTraceId:
      return AppendNonEmpty(out, view.trace_id);
    default:
      return false;
  }
}

// Most subscriptions are to channels.
JsonFields AbsentIn(const EventName& name) {
  return name.pattern.empty() ? JsonFields{JsonField::kPattern, JsonField::kMatched} : JsonFields{};
}

Ref<Frame> RenderEvent(const JsonTemplate& form, const EdgeEvent& event, const EventName& name) {
  return Render(
      form,
      [&](JsonField field, std::string* out) { return AppendEventField(out, field, event, name); },
      AbsentIn(name));
}

Ref<Frame> RenderPosition(const JsonTemplate& form, std::string_view channel,
                          const PositionEntry* entries, size_t count) {
  return Render(form, [&](JsonField field, std::string* out) {
    if (field == JsonField::kChannel) return AppendNonEmpty(out, channel);
    AppendJsonPosition(out, entries, count);
    return true;
  });
}

bool AppendGapField(std::string* out, JsonField field, std::string_view channel,
                    const GapInfo& gap) {
  switch (field) {
    case JsonField::kChannel:
      return AppendNonEmpty(out, channel);
    case JsonField::kSlot:
      if (gap.slot == kNoSlot) return false;
      AppendJsonUint(out, gap.slot);
      return true;
    case JsonField::kSource:
      return AppendNonEmpty(out, gap.source);
    case JsonField::kFrom:
      if (gap.slot == kNoSlot) return false;
      AppendJsonInt(out, gap.from);
      return true;
    case JsonField::kTo:
      if (gap.slot == kNoSlot) return false;
      AppendJsonInt(out, gap.to);
      return true;
    case JsonField::kCount:
      if (gap.count == 0) return false;
      AppendJsonUint(out, gap.count);
      return true;
    case JsonField::kReason:
      AppendJsonString(out, gap.reason);
      return true;
    default:
      return false;
  }
}

}  // namespace

JsonEncoder::JsonEncoder(JsonEnvelope envelope, JsonCommandLimits limits)
    : envelope_(std::move(envelope)), limits_(limits) {}

Ref<Frame> JsonEncoder::EncodeEvent(const EdgeEvent& event, size_t channel) const {
  return RenderEvent(envelope_[JsonMessage::kEvent], event, NameIn(event, channel));
}

Ref<Frame> JsonEncoder::EncodeCheckpoint(std::string_view channel,
                                         const std::vector<PositionEntry>& position) const {
  return RenderPosition(envelope_[JsonMessage::kCheckpoint], channel, position.data(),
                        position.size());
}

Ref<Frame> JsonEncoder::EncodeJoined(std::string_view channel, const PositionEntry& entry) const {
  return RenderPosition(envelope_[JsonMessage::kJoined], channel, &entry, 1);
}

Ref<Frame> JsonEncoder::EncodeGap(std::string_view channel, const GapInfo& gap) const {
  return Render(envelope_[JsonMessage::kGap], [&](JsonField field, std::string* out) {
    return AppendGapField(out, field, channel, gap);
  });
}

Ref<Frame> JsonEncoder::EncodeEphemeralGap(std::string_view channel) const {
  return Render(envelope_[JsonMessage::kEphemeralGap],
                [&](JsonField, std::string* out) { return AppendNonEmpty(out, channel); });
}

bool JsonEncoder::has_snapshots() const {
  return envelope_.snapshot_as_events() || !envelope_[JsonMessage::kSnapshot].empty();
}

Ref<Frame> JsonEncoder::EncodeConnected(const ConnectedInfo& info) const {
  return Render(envelope_[JsonMessage::kConnected], [&](JsonField field, std::string* out) {
    switch (field) {
      case JsonField::kConnectionId:
        return AppendNonEmpty(out, info.connection_id);
      case JsonField::kUserId:
        return AppendNonEmpty(out, info.user_id);
      case JsonField::kNode:
        return AppendNonEmpty(out, info.node);
      case JsonField::kProtocol:
        return AppendNonEmpty(out, kProtocol);
      case JsonField::kHeartbeatMs:
        AppendJsonInt(out, info.heartbeat_ms);
        return true;
      case JsonField::kExpiresMs:
        return AppendNumber(out, info.expires_ms);
      default:
        return AppendNow(out, field, info.now_ms);
    }
  });
}

Ref<Frame> JsonEncoder::EncodeSubscribed(const SubscribedInfo& info) const {
  return Render(envelope_[JsonMessage::kSubscribed], [&](JsonField field, std::string* out) {
    switch (field) {
      case JsonField::kClientId:
        return AppendNumber(out, info.id);
      case JsonField::kSnapshot:
        return AppendFlag(out, info.snapshot);
      case JsonField::kFrequency:
        if (info.frequency == Frequency::kHigh) return false;
        return AppendNonEmpty(out, NameOf(info.frequency));
      case JsonField::kPosition:
        if (info.position == nullptr) return false;
        AppendJsonPosition(out, info.position->data(), info.position->size());
        return true;
      default:
        return AppendNonEmpty(out, info.channel);
    }
  });
}

Ref<Frame> JsonEncoder::EncodeUpdated(std::optional<int64_t> id, std::string_view channel,
                                      Frequency frequency) const {
  return Render(envelope_[JsonMessage::kUpdated], [&](JsonField field, std::string* out) {
    if (field == JsonField::kClientId) return AppendNumber(out, id);
    return AppendNonEmpty(out, field == JsonField::kFrequency ? NameOf(frequency) : channel);
  });
}

Ref<Frame> JsonEncoder::EncodeUnsubscribed(std::optional<int64_t> id,
                                           std::string_view channel) const {
  return Render(envelope_[JsonMessage::kUnsubscribed], [&](JsonField field, std::string* out) {
    return field == JsonField::kClientId ? AppendNumber(out, id) : AppendNonEmpty(out, channel);
  });
}

void JsonEncoder::EncodeSnapshot(const SnapshotInfo& info, std::vector<Ref<Frame>>* out) const {
  const auto add = [out](Ref<Frame> frame) {
    if (frame) out->push_back(std::move(frame));
  };
  if (envelope_.snapshot_as_events()) {
    for (const Ref<EdgeEvent>& event : *info.events) {
      add(RenderEvent(envelope_[JsonMessage::kEvent], *event, NameIn(*event, info.channel)));
    }
    if (info.last && info.position != nullptr) add(EncodeCheckpoint(info.channel, *info.position));
    return;
  }
  const JsonTemplate& item = envelope_[JsonMessage::kSnapshotEvent];
  add(Render(envelope_[JsonMessage::kSnapshot], [&](JsonField field, std::string* text) {
    switch (field) {
      case JsonField::kEvents:
        text->push_back('[');
        for (size_t i = 0; i < info.events->size(); ++i) {
          if (i > 0) text->push_back(',');
          const EdgeEvent& event = *(*info.events)[i];
          const EventName name = NameIn(event, info.channel);
          const auto append = [&](JsonField part, std::string* to) {
            return AppendEventField(to, part, event, name);
          };
          item.Render(text, append, AbsentIn(name));
        }
        text->push_back(']');
        return true;
      case JsonField::kLast:
        return AppendFlag(text, info.last);
      case JsonField::kComplete:
        return AppendFlag(text, info.last && info.complete);
      case JsonField::kSinceMs:
        if (!info.last || info.complete) return false;
        AppendJsonInt(text, info.since_us / 1000);
        return true;
      case JsonField::kPosition:
        if (!info.last || info.position == nullptr) return false;
        AppendJsonPosition(text, info.position->data(), info.position->size());
        return true;
      default:
        return AppendNonEmpty(text, info.channel);
    }
  }));
}

Ref<Frame> JsonEncoder::EncodePublished(const PublishedInfo& info) const {
  return Render(envelope_[JsonMessage::kPublished], [&](JsonField field, std::string* out) {
    switch (field) {
      case JsonField::kClientId:
        return AppendNumber(out, info.id);
      case JsonField::kDurable:
        return AppendFlag(out, info.durable);
      case JsonField::kDuplicate:
        return AppendFlag(out, info.duplicate);
      case JsonField::kPartition:
        if (info.topic.empty()) return false;
        AppendJsonString(out, std::string(info.topic) + "/" + std::to_string(info.partition));
        return true;
      case JsonField::kOffset:
        if (info.topic.empty()) return false;
        AppendJsonInt(out, info.offset);
        return true;
      default:
        return AppendNonEmpty(out, info.channel);
    }
  });
}

Ref<Frame> JsonEncoder::EncodeError(const ErrorInfo& error) const {
  return Render(envelope_[JsonMessage::kError], [&](JsonField field, std::string* out) {
    switch (field) {
      case JsonField::kClientId:
        return AppendNumber(out, error.id);
      case JsonField::kCode:
        return AppendNonEmpty(out, error.code);
      case JsonField::kMessage:
        return AppendNonEmpty(out, error.message);
      default:
        return AppendNonEmpty(out, error.channel);
    }
  });
}

Ref<Frame> JsonEncoder::EncodeRefreshed(std::optional<int64_t> id,
                                        std::optional<int64_t> expires_ms) const {
  return Render(envelope_[JsonMessage::kRefreshed], [&](JsonField field, std::string* out) {
    return AppendNumber(out, field == JsonField::kClientId ? id : expires_ms);
  });
}

Ref<Frame> JsonEncoder::EncodeExpiring(int64_t expires_ms) const {
  return Render(envelope_[JsonMessage::kExpiring],
                [&](JsonField, std::string* out) { return AppendNumber(out, expires_ms); });
}

Ref<Frame> JsonEncoder::EncodeMoving(int64_t within_ms, std::string_view address) const {
  return Render(envelope_[JsonMessage::kMoving], [&](JsonField field, std::string* out) {
    return field == JsonField::kWithinMs ? AppendNumber(out, within_ms)
                                         : AppendNonEmpty(out, address);
  });
}

Ref<Frame> JsonEncoder::EncodeStaying() const {
  // Who was told nothing has nothing to forget.
  if (envelope_[JsonMessage::kMoving].empty()) return {};
  return Render(envelope_[JsonMessage::kStaying], [](JsonField, std::string*) { return false; });
}

Ref<Frame> JsonEncoder::EncodeClosing(std::optional<int64_t> after_ms) const {
  return Render(envelope_[JsonMessage::kClosing], [&](JsonField field, std::string* out) {
    return field == JsonField::kReconnect ? AppendFlag(out, after_ms.has_value())
                                          : AppendNumber(out, after_ms);
  });
}

Ref<Frame> JsonEncoder::EncodeRedirect(std::string_view node, std::string_view address) const {
  return Render(envelope_[JsonMessage::kRedirect], [&](JsonField field, std::string* out) {
    return AppendNonEmpty(out, field == JsonField::kNode ? node : address);
  });
}

Ref<Frame> JsonEncoder::EncodePing(int64_t now_ms) const {
  return Render(envelope_[JsonMessage::kPing],
                [&](JsonField field, std::string* out) { return AppendNow(out, field, now_ms); });
}

Ref<Frame> JsonEncoder::EncodePong(std::optional<int64_t> id, int64_t now_ms) const {
  return Render(envelope_[JsonMessage::kPong], [&](JsonField field, std::string* out) {
    return field == JsonField::kClientId ? AppendNumber(out, id) : AppendNow(out, field, now_ms);
  });
}

bool JsonEncoder::Parse(std::string_view message, bool text, Command* command,
                        ParseFailure* failure) const {
  return ParseJsonCommand(message, text, limits_, command, failure);
}

}  // namespace spillway::edge
