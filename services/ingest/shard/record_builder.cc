#include "services/ingest/shard/record_builder.h"

#include <string>
#include <string_view>

#include "common/channel/channel_hash.h"
#include "common/wire/event_wire.h"
#include "services/ingest/normalise/route_table.h"

namespace spillway::ingest {
namespace {

constexpr size_t kKeptBytes = 1 << 20;

}  // namespace

void RecordBuilder::BuildEmpty(const RecordView& record, bool live, int64_t wall_us,
                               NormalisedRecord* out) {
  if (out->record.bytes.capacity() > kKeptBytes) std::string().swap(out->record.bytes);
  out->record.Clear();
  out->latest.clear();
  out->record.offset = record.offset;
  // A log ages by arrival. What is read back into a latest-table has the age that Kafka gives it.
  out->record.time_us = live || record.timestamp_ms < 0 ? wall_us : record.timestamp_ms * 1'000;
  out->record.fingerprint =
      Fingerprint(record.key.value_or(std::string_view()),
                  record.value.value_or(std::string_view()), record.timestamp_ms);
}

NormaliseResult RecordBuilder::Build(const ShardSlot& slot, const RecordView& record, bool live,
                                     int64_t wall_us, NormalisedRecord* out) {
  const CompiledRoute& route = *slot.route;
  RecordInput input;
  input.key = record.key;
  input.value = record.value;
  input.timestamp_ms = record.timestamp_ms;
  if (route.needs_headers) {
    record.ReadHeaders(&headers_);
    header_views_.clear();
    for (const RecordHeader& header : headers_) {
      if (header.value.has_value()) header_views_.push_back({header.name, *header.value});
    }
    input.headers = header_views_;
  }
  BuildEmpty(record, live, wall_us, out);
  const NormaliseResult result = normaliser_.Normalise(route, input);
  if (result.rejected.has_value()) return result;
  out->record.events.reserve(result.events.size());
  for (const NormalisedEvent& event : result.events) {
    LogEvent& logged = out->record.events.emplace_back();
    logged.begin = static_cast<uint32_t>(out->record.bytes.size());
    wire::AppendBatchEvent(event.event, slot.info.id, record.offset, &out->record.bytes);
    logged.size = static_cast<uint32_t>(out->record.bytes.size()) - logged.begin;
    for (std::string_view channel : event.event.channels) {
      logged.channels.push_back(ChannelHash(channel));
      if (event.snapshot == SnapshotMode::kNone) continue;
      out->latest.push_back(
          {std::string(channel),
           event.snapshot == SnapshotMode::kByKey ? std::string(event.event.key) : std::string(),
           static_cast<uint32_t>(out->record.events.size() - 1), event.event.tombstone});
    }
  }
  return result;
}

}  // namespace spillway::ingest
