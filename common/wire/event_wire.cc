#include "common/wire/event_wire.h"

namespace spillway::wire {
namespace {

// Wire types (protobuf.dev, "Encoding").
constexpr uint32_t kVarint = 0;
constexpr uint32_t kFixed64 = 1;
constexpr uint32_t kLength = 2;
constexpr uint32_t kFixed32 = 5;

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
};
constexpr uint32_t kBatchProgress = 1;
constexpr uint32_t kBatchEvents = 2;
constexpr uint32_t kLinkResponseBatch = 3;

size_t VarintSize(uint64_t value) {
  size_t size = 1;
  while (value >= 0x80) {
    value >>= 7;
    ++size;
  }
  return size;
}

void PutVarint(uint64_t value, std::string* out) {
  while (value >= 0x80) {
    out->push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out->push_back(static_cast<char>(value));
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

void PutVarintField(uint32_t field, uint64_t value, std::string* out) {
  if (value == 0) return;  // proto3: the default is not on the wire
  PutVarint(Tag(field, kVarint), out);
  PutVarint(value, out);
}
void PutBytesField(uint32_t field, std::string_view value, std::string* out) {
  PutVarint(Tag(field, kLength), out);
  PutVarint(value.size(), out);
  out->append(value);
}
void PutOptionalBytes(uint32_t field, std::string_view value, std::string* out) {
  if (!value.empty()) PutBytesField(field, value, out);
}

size_t EventSize(const EventView& event) {
  size_t size = VarintFieldSize(kSlot, event.slot) +
                VarintFieldSize(kOffset, static_cast<uint64_t>(event.offset)) +
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

// Reads fields one after the other; every Get fails for good at the first malformed byte.
class Fields {
 public:
  explicit Fields(std::string_view bytes) : rest_(bytes) {}

  bool Done() const { return rest_.empty(); }

  bool Next(uint32_t* field, uint32_t* type) {
    uint64_t tag = 0;
    if (!Varint(&tag) || tag > 0xFFFFFFFFu) return false;
    *field = static_cast<uint32_t>(tag) >> 3;
    *type = static_cast<uint32_t>(tag) & 7;
    return *field != 0;
  }
  bool Varint(uint64_t* value) {
    uint64_t result = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) return false;
      const auto byte = static_cast<uint8_t>(rest_.front());
      rest_.remove_prefix(1);
      result |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) {
        *value = result;
        return true;
      }
    }
    return false;
  }
  bool Bytes(std::string_view* value) {
    uint64_t size = 0;
    if (!Varint(&size) || size > rest_.size()) return false;
    *value = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
  }
  bool Skip(uint32_t type) {
    uint64_t ignored = 0;
    std::string_view bytes;
    switch (type) {
      case kVarint:
        return Varint(&ignored);
      case kLength:
        return Bytes(&bytes);
      case kFixed64:
      case kFixed32: {
        const size_t size = type == kFixed64 ? 8 : 4;
        if (rest_.size() < size) return false;
        rest_.remove_prefix(size);
        return true;
      }
      default:
        return false;  // groups are not used
    }
  }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

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
  const size_t size = EventSize(event);
  out->reserve(out->size() + BytesFieldSize(kBatchEvents, size));
  PutVarint(Tag(kBatchEvents, kLength), out);
  PutVarint(size, out);
  PutVarintField(kSlot, event.slot, out);
  PutVarintField(kOffset, static_cast<uint64_t>(event.offset), out);
  for (std::string_view channel : event.channels) PutBytesField(kChannels, channel, out);
  PutOptionalBytes(kType, event.type, out);
  PutOptionalBytes(kKey, event.key, out);
  PutVarintField(kEventTime, static_cast<uint64_t>(event.event_time_us), out);
  PutOptionalBytes(kPayload, event.payload, out);
  PutVarintField(kEncoding, static_cast<uint64_t>(event.encoding), out);
  PutVarintField(kPriority, static_cast<uint64_t>(event.priority), out);
  PutOptionalBytes(kTraceId, event.trace_id, out);
  PutVarintField(kTombstone, event.tombstone ? 1 : 0, out);
}

void AppendBatchProgress(const ProgressView& progress, std::string* out) {
  const size_t size =
      VarintFieldSize(kProgressSlot, progress.slot) +
      VarintFieldSize(kAttachId, progress.attach_id) +
      VarintFieldSize(kUpto, static_cast<uint64_t>(progress.upto)) +
      VarintFieldSize(kFingerprint, progress.fingerprint) +
      VarintFieldSize(kInterestSequence, progress.interest_sequence) +
      VarintFieldSize(kInterestAfter, static_cast<uint64_t>(progress.interest_after));
  PutVarint(Tag(kBatchProgress, kLength), out);
  PutVarint(size, out);
  PutVarintField(kProgressSlot, progress.slot, out);
  PutVarintField(kAttachId, progress.attach_id, out);
  PutVarintField(kUpto, static_cast<uint64_t>(progress.upto), out);
  PutVarintField(kFingerprint, progress.fingerprint, out);
  PutVarintField(kInterestSequence, progress.interest_sequence, out);
  PutVarintField(kInterestAfter, static_cast<uint64_t>(progress.interest_after), out);
}

std::string LinkBatchHeader(size_t batch_size) {
  std::string header;
  PutVarint(Tag(kLinkResponseBatch, kLength), &header);
  PutVarint(batch_size, &header);
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
