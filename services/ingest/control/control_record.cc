#include "services/ingest/control/control_record.h"

#include <chrono>
#include <string>

#include "common/control/control_entry.h"

namespace spillway::ingest {
namespace {

// A tombstone that somebody else wrote, such as an operator by a tool of Kafka's: the entry is
// lifted as of then.
std::optional<v1::ControlEntry> RemovalOf(std::string_view key, int64_t timestamp_ms) {
  const size_t colon = key.find(':');
  // Producers may give any time.
  if (colon == std::string_view::npos || timestamp_ms <= 0 ||
      timestamp_ms > control::kLatestUs / 1'000) {
    return std::nullopt;
  }
  const auto kind = control::KindOfName(key.substr(0, colon));
  if (!kind.has_value()) return std::nullopt;
  v1::ControlEntry entry;
  entry.set_kind(*kind);
  entry.set_subject(std::string(key.substr(colon + 1)));
  entry.set_issued_us(timestamp_ms * 1'000);
  entry.set_expires_us(entry.issued_us() +
                       std::chrono::microseconds(control::kRemovalMemory).count());
  entry.set_removed(true);
  return entry;
}

}  // namespace

std::optional<v1::ControlEntry> EntryOf(const ControlRecord& record) {
  if (!record.key.has_value()) return std::nullopt;
  const std::optional<std::string_view> bytes =
      record.value.has_value() ? record.value : record.header;
  std::optional<v1::ControlEntry> entry;
  if (bytes.has_value()) {
    entry.emplace();
    if (!entry->ParseFromArray(bytes->data(), static_cast<int>(bytes->size()))) return std::nullopt;
  } else {
    entry = RemovalOf(*record.key, record.timestamp_ms);
  }
  if (!entry.has_value() || !control::Check(*entry).ok() || control::KeyOf(*entry) != *record.key) {
    return std::nullopt;
  }
  return entry;
}

}  // namespace spillway::ingest
