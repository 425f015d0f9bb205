#include "common/wire/event_wire.h"

#include <bit>
#include <cstring>

#include "common/wire/fields.h"

namespace spillway::wire {
namespace {

// Field numbers of event.proto and link.proto.
enum EventField : uint32_t {
  kSlot = 1,
  kOffset = 2,
  kChannels = 3,
  kType = 4,
  kKey = 5,
  kEventTime = 6,
  kPayload = 7,
  kEncoding = 8,
  kPriority = 9,
  kTraceId = 10,
  kTombstone = 11,
};
enum ProgressField : uint32_t {
  kProgressSlot = 1,
  kAttachId = 2,
  kUpto = 3,
  kFingerprint = 4,
  kInterestSequence = 5,
  kInterestAfter = 6,
  kFingerprintBack = 7,
};
constexpr uint32_t kBatchProgress = 1;
constexpr uint32_t kBatchEvents = 2;
constexpr uint32_t kEphemeralFirst = 1;
constexpr uint32_t kEphemeralEvents = 2;
constexpr uint32_t kLinkResponseBatch = 3;
constexpr uint32_t kLinkResponseEphemeral = 9;

// Seven bits a byte, one byte for 0.
size_t VarintSize(uint64_t value) {
  return (static_cast<size_t>(std::bit_width(value | 1)) * 9 + 64) / 64;
}

constexpr uint64_t Tag(uint32_t field, uint32_t type) { return (field << 3) | type; }

size_t VarintFieldSize(uint32_t field, uint64_t value) {
  return value == 0 ? 0 : VarintSize(Tag(field, kVarint)) + VarintSize(value);
}
size_t BytesFieldSize(uint32_t field, size_t size) {
  return VarintSize(Tag(field, kLength)) + VarintSize(size) + size;
}
size_t OptionalBytesSize(uint32_t field, std::string_view value) {
  return value.empty() ? 0 : BytesFieldSize(field, value.size());
}

// Writes to where the sizes above have made room.
class Writer {
 public:
  explicit Writer(char* at) : at_(at) {}

  void Varint(uint64_t value) {
    while (value >= 0x80) {
      *at_++ = static_cast<char>(value | 0x80);
      value >>= 7;
    }
    *at_++ = static_cast<char>(value);
  }
  void Head(uint32_t field, size_t size) {
    Varint(Tag(field, kLength));
    Varint(size);
  }
  void VarintField(uint32_t field, uint64_t value) {
    if (value == 0) return;  // proto3: the default is not on the wire
    Varint(Tag(field, kVarint));
    Varint(value);
  }
  void BytesField(uint32_t field, std::string_view value) {
    Head(field, value.size());
    if (!value.empty()) std::memcpy(at_, value.data(), value.size());
    at_ += value.size();
  }
  void OptionalBytes(uint32_t field, std::string_view value) {
    if (!value.empty()) BytesField(field, value);
  }

 private:
  char* at_;
};

// Makes `size` bytes of room at the end of `out`.
Writer Room(size_t size, std::string* out) {
  const size_t before = out->size();
  out->resize(before + size);
  return Writer(out->data() + before);
}

size_t EventSize(const EventView& event, uint32_t slot, int64_t offset) {
  size_t size = VarintFieldSize(kSlot, slot) +
                VarintFieldSize(kOffset, static_cast<uint64_t>(offset)) +
                OptionalBytesSize(kType, event.type) + OptionalBytesSize(kKey, event.key) +
                VarintFieldSize(kEventTime, static_cast<uint64_t>(event.event_time_us)) +
                OptionalBytesSize(kPayload, event.payload) +
                VarintFieldSize(kEncoding, static_cast<uint64_t>(event.encoding)) +
                VarintFieldSize(kPriority, static_cast<uint64_t>(event.priority)) +
                OptionalBytesSize(kTraceId, event.trace_id) +
                VarintFieldSize(kTombstone, event.tombstone ? 1 : 0);
  for (std::string_view channel : event.channels) size += BytesFieldSize(kChannels, channel.size());
  return size;
}

bool ParseProgress(std::string_view bytes, ProgressView* progress) {
  *progress = ProgressView();
  Fields fields(bytes);
  while (!fields.Done()) {
    uint32_t field = 0, type = 0;
    if (!fields.Next(&field, &type)) return false;
    if (type != kVarint) {
      if (!fields.Skip(type)) return false;
      continue;
    }
    uint64_t value = 0;
    if (!fields.Varint(&value)) return false;
    switch (field) {
      case kProgressSlot:
        progress->slot = static_cast<uint32_t>(value);
        break;
      case kAttachId:
        progress->attach_id = value;
        break;
      case kUpto:
        progress->upto = static_cast<int64_t>(value);
        break;
      case kFingerprint:
        progress->fingerprint = static_cast<uint32_t>(value);
        break;
      case kInterestSequence:
        progress->interest_sequence = value;
        break;
      case kInterestAfter:
        progress->interest_after = static_cast<int64_t>(value);
        break;
      case kFingerprintBack:
        progress->fingerprint_back = value;
        break;
      default:
        break;
    }
  }
  return true;
}

}  // namespace

void EventView::Clear() {
  slot = 0;
  offset = 0;
  channels.clear();
  type = key = payload = trace_id = {};
  event_time_us = 0;
  encoding = priority = 0;
  tombstone = false;
}

void AppendBatchEvent(const EventView& event, std::string* out) {
  AppendBatchEvent(event, event.slot, event.offset, out);
}

void AppendBatchEvent(const EventView& event, uint32_t slot, int64_t offset, std::string* out) {
  const size_t size = EventSize(event, slot, offset);
  Writer writer = Room(BytesFieldSize(kBatchEvents, size), out);
  writer.Head(kBatchEvents, size);
  writer.VarintField(kSlot, slot);
  writer.VarintField(kOffset, static_cast<uint64_t>(offset));
  for (std::string_view channel : event.channels) writer.BytesField(kChannels, channel);
  writer.OptionalBytes(kType, event.type);
  writer.OptionalBytes(kKey, event.key);
  writer.VarintField(kEventTime, static_cast<uint64_t>(event.event_time_us));
  writer.OptionalBytes(kPayload, event.payload);
  writer.VarintField(kEncoding, static_cast<uint64_t>(event.encoding));
  writer.VarintField(kPriority, static_cast<uint64_t>(event.priority));
  writer.OptionalBytes(kTraceId, event.trace_id);
  writer.VarintField(kTombstone, event.tombstone ? 1 : 0);
}

void AppendBatchProgress(const ProgressView& progress, std::string* out) {
  const size_t size =
      VarintFieldSize(kProgressSlot, progress.slot) +
      VarintFieldSize(kAttachId, progress.attach_id) +
      VarintFieldSize(kUpto, static_cast<uint64_t>(progress.upto)) +
      VarintFieldSize(kFingerprint, progress.fingerprint) +
      VarintFieldSize(kInterestSequence, progress.interest_sequence) +
      VarintFieldSize(kInterestAfter, static_cast<uint64_t>(progress.interest_after)) +
      VarintFieldSize(kFingerprintBack, progress.fingerprint_back);
  Writer writer = Room(BytesFieldSize(kBatchProgress, size), out);
  writer.Head(kBatchProgress, size);
  writer.VarintField(kProgressSlot, progress.slot);
  writer.VarintField(kAttachId, progress.attach_id);
  writer.VarintField(kUpto, static_cast<uint64_t>(progress.upto));
  writer.VarintField(kFingerprint, progress.fingerprint);
  writer.VarintField(kInterestSequence, progress.interest_sequence);
  writer.VarintField(kInterestAfter, static_cast<uint64_t>(progress.interest_after));
  writer.VarintField(kFingerprintBack, progress.fingerprint_back);
}

std::string LinkBatchHeader(size_t batch_size) {
  std::string header;
  Room(VarintSize(Tag(kLinkResponseBatch, kLength)) + VarintSize(batch_size), &header)
      .Head(kLinkResponseBatch, batch_size);
  return header;
}

void AppendEphemeralEvent(std::string_view event, std::string* out) {
  Room(BytesFieldSize(kEphemeralEvents, event.size()), out).BytesField(kEphemeralEvents, event);
}

std::string LinkEphemeralHeader(uint64_t first, size_t events_size) {
  const size_t first_size = VarintFieldSize(kEphemeralFirst, first);
  const size_t size = first_size + events_size;
  std::string header;
  Writer writer = Room(BytesFieldSize(kLinkResponseEphemeral, size) - size + first_size, &header);
  writer.Head(kLinkResponseEphemeral, size);
  writer.VarintField(kEphemeralFirst, first);
  return header;
}

std::optional<std::string_view> BatchOfLinkResponse(std::string_view message) {
  Fields fields(message);
  uint32_t field = 0, type = 0;
  std::string_view batch;
  if (!fields.Next(&field, &type) || field != kLinkResponseBatch || type != kLength ||
      !fields.Bytes(&batch) || !fields.Done()) {
    return std::nullopt;
  }
  return batch;
}

bool ParseEvent(std::string_view bytes, EventView* event) {
  event->Clear();
  Fields fields(bytes);
  while (!fields.Done()) {
    uint32_t field = 0, type = 0;
    if (!fields.Next(&field, &type)) return false;
    if (type == kLength) {
      std::string_view value;
      if (!fields.Bytes(&value)) return false;
      switch (field) {
        case kChannels:
          event->channels.push_back(value);
          break;
        case kType:
          event->type = value;
          break;
        case kKey:
          event->key = value;
          break;
        case kPayload:
          event->payload = value;
          break;
        case kTraceId:
          event->trace_id = value;
          break;
        default:
          break;
      }
    } else if (type == kVarint) {
      uint64_t value = 0;
      if (!fields.Varint(&value)) return false;
      switch (field) {
        case kSlot:
          event->slot = static_cast<uint32_t>(value);
          break;
        case kOffset:
          event->offset = static_cast<int64_t>(value);
          break;
        case kEventTime:
          event->event_time_us = static_cast<int64_t>(value);
          break;
        case kEncoding:
          event->encoding = static_cast<int>(value);
          break;
        case kPriority:
          event->priority = static_cast<int>(value);
          break;
        case kTombstone:
          event->tombstone = value != 0;
          break;
        default:
          break;
      }
    } else if (!fields.Skip(type)) {
      return false;
    }
  }
  return true;
}

bool ParseBatchEventChannels(std::string_view element, ChannelViews* channels) {
  channels->clear();
  Fields outer(element);
  uint32_t field = 0, type = 0;
  std::string_view bytes;
  if (!outer.Next(&field, &type) || type != kLength || !outer.Bytes(&bytes)) return false;
  Fields fields(bytes);
  while (!fields.Done()) {
    if (!fields.Next(&field, &type)) return false;
    if (field > kChannels) return true;  // written in this order
    if (field != kChannels || type != kLength) {
      if (!fields.Skip(type)) return false;
      continue;
    }
    if (!fields.Bytes(&bytes)) return false;
    channels->push_back(bytes);
  }
  return true;
}

BatchReader::Kind BatchReader::Next(ProgressView* progress, std::string_view* event_bytes) {
  Fields fields(rest_);
  while (!fields.Done()) {
    uint32_t field = 0, type = 0;
    if (!fields.Next(&field, &type)) return Kind::kMalformed;
    if (type == kLength && (field == kBatchProgress || field == kBatchEvents)) {
      std::string_view bytes;
      if (!fields.Bytes(&bytes)) return Kind::kMalformed;
      rest_ = fields.rest();
      if (field == kBatchEvents) {
        *event_bytes = bytes;
        return Kind::kEvent;
      }
      return ParseProgress(bytes, progress) ? Kind::kProgress : Kind::kMalformed;
    }
    if (!fields.Skip(type)) return Kind::kMalformed;
  }
  rest_ = {};
  return Kind::kEnd;
}

}  // namespace spillway::wire
