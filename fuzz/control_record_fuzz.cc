// Records of the control topic, which anybody who may write to it can have written: a key in the
// first line, in the second one its timestamp and `v` (the rest is the value), `h` (the header of a
// tombstone) or nothing.

#include <chrono>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "common/base/strings.h"
#include "common/control/control_entry.h"
#include "common/control/control_table.h"
#include "fuzz/input.h"
#include "services/ingest/control/control_record.h"

namespace control = spillway::control;
namespace v1 = spillway::v1;
using spillway::fuzz::Require;
using spillway::ingest::ControlRecord;

namespace {

ControlRecord RecordOf(spillway::fuzz::Input input) {
  ControlRecord record;
  record.key = input.TakeLine();
  std::string_view how = input.TakeLine();
  const char kind = how.empty() ? ' ' : how.back();
  if (kind == 'v' || kind == 'h') how.remove_suffix(1);
  if (!absl::SimpleAtoi(spillway::Abs(how), &record.timestamp_ms)) record.timestamp_ms = -1;
  const std::string_view bytes = input.TakeRest();
  if (kind == 'v') record.value = bytes;
  if (kind == 'h') record.header = bytes;
  return record;
}

std::string StateOf(const std::vector<v1::ControlEntry>& entries, spillway::WallTime now) {
  control::ControlTable table({.max_entries = 10});
  for (const v1::ControlEntry& entry : entries) table.Merge(entry, now);
  std::string state;
  table.ForEach([&](const v1::ControlEntry& entry) { state += entry.SerializeAsString(); });
  table.TakeEnded(now + std::chrono::hours(24 * 365));
  Require(table.live() + table.remembered() <= 1, "one key has one state");
  return state;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ControlRecord record = RecordOf({data, size});
  const auto entry = spillway::ingest::EntryOf(record);
  if (!entry.has_value()) return 0;
  Require(control::Check(*entry).ok(), "it can be taken");
  Require(control::KeyOf(*entry) == *record.key, "it is its key's");
  const std::string bytes = entry->SerializeAsString();
  const auto again = spillway::ingest::EntryOf({.key = record.key, .value = bytes});
  Require(again.has_value() && !control::Later(*again, *entry) && !control::Later(*entry, *again),
          "what is written is read");
  // Another one of its key, in any order.
  v1::ControlEntry other = *entry;
  other.set_issued_us(1'000);
  other.set_expires_us(0);
  other.set_removed(!entry->removed());
  const spillway::WallTime early;
  if (control::Later(*entry, other)) {
    const std::string state = StateOf({*entry}, early);
    Require(StateOf({*entry, other}, early) == state, "the later one counts");
    Require(StateOf({other, *entry}, early) == state, "whichever comes first");
  }
  // When it is long over.
  const spillway::WallTime late{std::chrono::microseconds(control::kLatestUs)};
  Require(StateOf({*entry, *entry}, late) == StateOf({*entry}, late), "however often it comes");
  return 0;
}
