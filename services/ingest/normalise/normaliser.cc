#include "services/ingest/normalise/normaliser.h"

#include <simdjson.h>

#include <algorithm>

#include "common/channel/channel_name.h"
#include "common/wire/limits.h"
#include "services/ingest/normalise/framing.h"
#include "spillway/v1/event.pb.h"

namespace spillway::ingest {
namespace {

constexpr size_t kMaxTypeBytes = 255;
constexpr size_t kMaxKeyBytes = 4096;
constexpr size_t kMaxTraceBytes = 512;

bool IsText(std::string_view text, size_t max_bytes) {
  return text.size() <= max_bytes && simdjson::validate_utf8(text.data(), text.size());
}

}  // namespace

NormaliseResult Normaliser::Reject(RejectReason reason, std::string_view detail) {
  used_ = 0;
  return {{}, reason, detail};
}

NormaliseResult Normaliser::Normalise(const CompiledRoute& route, const RecordInput& record) {
  pool_.Reset();
  used_ = 0;
  json_.Clear();
  NormaliseResult result;
  Payload whole;
  if (record.value && !Decode(route, *record.value, whole, result)) return result;
  const RecordContext context{record, json_};
  for (const EmitPlan& emit : route.emits) {
    if (!Emit(emit, route, context, whole, result)) return result;
  }
  if (used_ > 1 && TotalBytes() > wire::kMaxRecordBytes) {
    return Reject(RejectReason::kOversized, "its events together");
  }
  result.events = std::span<const NormalisedEvent>(events_.data(), used_);
  return result;
}

size_t Normaliser::TotalBytes() const {
  // Beside the strings: field numbers, lengths, offset, time.
  constexpr size_t kEventOverhead = 128;
  size_t bytes = 0;
  for (size_t i = 0; i < used_; ++i) {
    const wire::EventView& event = events_[i].event;
    bytes += kEventOverhead + event.payload.size() + event.type.size() + event.key.size() +
             event.trace_id.size();
    for (std::string_view channel : event.channels) bytes += channel.size() + 4;
  }
  return bytes;
}

bool Normaliser::Decode(const CompiledRoute& route, std::string_view value, Payload& whole,
                        NormaliseResult& result) {
  if (value.size() > route.max_event_bytes) {
    result = Reject(RejectReason::kOversized, "");
    return false;
  }
  const bool protobuf = route.format == CompiledRoute::Format::kProtobuf;
  if (route.confluent) {
    std::optional<std::string_view> rest = SkipConfluentHeader(value);
    if (rest && protobuf) rest = SkipMessageIndexes(*rest);
    if (!rest) {
      result = Reject(RejectReason::kBadFraming, "");
      return false;
    }
    value = *rest;
  }
  if (route.format == CompiledRoute::Format::kRaw) {
    const bool text = simdjson::validate_utf8(value.data(), value.size());
    whole = {value, text ? v1::PAYLOAD_ENCODING_TEXT : v1::PAYLOAD_ENCODING_BINARY};
    return true;
  }
  if (protobuf) {
    std::string& text = pool_.Next();
    if (!route.protobuf->Decode(value, text)) {
      result = Reject(RejectReason::kUndecodableProtobuf, "");
      return false;
    }
    value = text;
  }
  if (!json_.Parse(value)) {
    result = Reject(protobuf ? RejectReason::kUndecodableProtobuf : RejectReason::kUndecodableJson,
                    json_.error());
    return false;
  }
  whole = {value, v1::PAYLOAD_ENCODING_JSON};
  return true;
}

bool Normaliser::Emit(const EmitPlan& emit, const CompiledRoute& route,
                      const RecordContext& context, const Payload& whole, NormaliseResult& result) {
  const bool tombstone = !context.record.value.has_value();
  if (tombstone && emit.snapshot == SnapshotMode::kNone) return true;
  for (const EmitPlan::Condition& condition : emit.when) {
    if (tombstone && condition.source.uses_json()) continue;
    if (!condition.Holds(context)) return true;
  }
  if (used_ == events_.size()) events_.emplace_back();
  NormalisedEvent& out = events_[used_];
  out.event.Clear();
  out.snapshot = emit.snapshot;
  out.event.tombstone = tombstone;
  if (!RenderChannels(emit, context, out.event, result)) return false;
  if (out.event.channels.empty()) return true;
  if (!RenderMetadata(emit, context, out.event, result)) return false;
  if (tombstone && emit.snapshot == SnapshotMode::kByKey && out.event.key.empty()) return true;
  if (!tombstone && !WritePayload(emit, route, context, whole, out.event, result)) return false;
  ++used_;
  return true;
}

bool Normaliser::RenderChannels(const EmitPlan& emit, const RecordContext& context,
                                wire::EventView& event, NormaliseResult& result) {
  const bool lenient = emit.optional || event.tombstone;
  for (const TextTemplate& text : emit.channels) {
    std::string_view channel;
    std::string_view missing;
    if (!Render(text, context, channel, &missing)) {
      if (lenient) continue;
      result = Reject(RejectReason::kMissingField, missing);
      return false;
    }
    if (!IsValidChannelName(channel)) {
      result = Reject(RejectReason::kBadChannel, channel);
      return false;
    }
    if (!IsFed(channel, event)) event.channels.push_back(channel);
  }
  return true;
}

bool Normaliser::IsFed(std::string_view channel, const wire::EventView& event) const {
  const auto feeds = [&](const wire::EventView& one) {
    return std::find(one.channels.begin(), one.channels.end(), channel) != one.channels.end();
  };
  if (feeds(event)) return true;
  for (size_t i = 0; i < used_; ++i) {
    if (feeds(events_[i].event)) return true;
  }
  return false;
}

bool Normaliser::RenderMetadata(const EmitPlan& emit, const RecordContext& context,
                                wire::EventView& event, NormaliseResult& result) {
  std::string_view missing;
  std::string_view text;
  if (Render(emit.type, context, text, &missing)) {
    event.type = emit.MapType(text);
    if (event.type.empty() || !IsText(event.type, kMaxTypeBytes)) {
      result = Reject(RejectReason::kBadType, "");
      return false;
    }
  } else if (!event.tombstone) {
    result = Reject(RejectReason::kMissingField, missing);
    return false;
  }
  const bool needs_key = emit.snapshot == SnapshotMode::kByKey && !event.tombstone;
  missing = {};
  if (Render(emit.key, context, text, &missing) && IsText(text, kMaxKeyBytes)) {
    event.key = text;
  } else if (needs_key && missing.empty()) {
    result = Reject(RejectReason::kBadKey, "");
    return false;
  }
  if (needs_key && event.key.empty()) {
    result = Reject(RejectReason::kMissingField, missing);
    return false;
  }
  if (Render(emit.priority, context, text, nullptr)) event.priority = emit.MapPriority(text);
  if (Render(emit.trace_id, context, text, nullptr) && IsText(text, kMaxTraceBytes)) {
    event.trace_id = text;
  }
  event.event_time_us = std::max<int64_t>(context.record.timestamp_ms, 0) * 1000;
  if (emit.time) {
    if (const std::optional<SourceValue> value = emit.time->Text(context)) {
      event.event_time_us =
          ParseEventTime(value->text, emit.time_unit).value_or(event.event_time_us);
    }
  }
  return true;
}

bool Normaliser::WritePayload(const EmitPlan& emit, const CompiledRoute& route,
                              const RecordContext& context, const Payload& whole,
                              wire::EventView& event, NormaliseResult& result) {
  event.payload = whole.bytes;
  event.encoding = whole.encoding;
  if (emit.payload.whole()) return true;
  std::string& text = pool_.Next();
  switch (emit.payload.Write(context, text)) {
    case PayloadPlan::Outcome::kWritten:
      break;
    case PayloadPlan::Outcome::kMissing:
      result = Reject(RejectReason::kMissingField, emit.payload.from());
      return false;
    case PayloadPlan::Outcome::kNotAnObject:
      result = Reject(RejectReason::kPayloadNotObject, "");
      return false;
  }
  if (text.size() > route.max_event_bytes) {
    result = Reject(RejectReason::kOversized, "");
    return false;
  }
  event.payload = text;
  return true;
}

bool Normaliser::Render(const TextTemplate& text, const RecordContext& context,
                        std::string_view& out, std::string_view* missing) {
  if (const std::string* constant = text.constant()) {
    out = *constant;
    return true;
  }
  if (const Source* source = text.only_source()) {
    const std::optional<SourceValue> value = source->Text(context);
    if (!value) {
      if (missing != nullptr) *missing = source->text();
      return false;
    }
    out = value->text;
    return true;
  }
  std::string& rendered = pool_.Next();
  if (!text.Render(context, rendered, missing)) return false;
  out = rendered;
  return true;
}

}  // namespace spillway::ingest
