#include "services/ingest/control/control_store.h"

#include <functional>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/strings.h"
#include "common/log/log.h"
#include "services/ingest/control/control_record.h"

namespace spillway::ingest {
namespace {

constexpr int kEntriesAMessage = 1'000;
constexpr size_t kClearedATurn = 100;
constexpr std::chrono::seconds kLogInterval{10};

}  // namespace

ControlStore::ControlStore(Options options, const Clock& clock, Produce produce, Tell tell)
    : options_(std::move(options)),
      clock_(clock),
      produce_(std::move(produce)),
      tell_(std::move(tell)),
      log_(clock, kLogInterval),
      table_({.max_entries = options_.max_entries}) {}

void ControlStore::ClearLater(const v1::ControlEntry& entry, MonoTime now) {
  const std::string key = control::KeyOf(entry);
  const auto spread = static_cast<size_t>(options_.clear_spread.count()) + 1;
  const std::chrono::milliseconds more(std::hash<std::string>()(options_.node_id + "/" + key) %
                                       spread);
  ended_[key] = {entry, now + options_.clear_after + more};
}

void ControlStore::OnRecord(const RecordView& record) {
  counters_.records.Add();
  const std::optional<v1::ControlEntry> entry =
      EntryOf({.key = record.key,
               .value = record.value,
               .header = record.Header(ControlRecord::kHeader),
               .timestamp_ms = record.timestamp_ms});
  if (!entry.has_value()) {
    counters_.bad.Add();
    log_.Warn("bad", "a record of the control topic is no entry, and is passed over",
              {{"topic", options_.topic}, {"offset", record.offset}});
    return;
  }
  {
    MutexLock lock(mutex_);
    ended_.erase(control::KeyOf(*entry));
    const bool over = !control::InForce(*entry, clock_.WallNow());
    if (record.value.has_value() && over) ClearLater(*entry, clock_.Now());
  }
  Take(*entry);
}

void ControlStore::Take(const v1::ControlEntry& entry) {
  using Merged = control::ControlTable::Merged;
  {
    MutexLock lock(mutex_);
    const Merged merged = table_.Merge(entry, clock_.WallNow());
    if (merged == Merged::kFull) {
      counters_.dropped.Add();
      log_.Error("full", "a block or revocation is not in force: there are too many",
                 {{"limit", options_.max_entries}, {"setting", "ingest.control.max_entries"}});
    }
    // Until the topic was read whole, links are told nothing; then everything.
    if (merged != Merged::kTaken || !whole_) return;
  }
  v1::Control control;
  *control.add_entries() = entry;
  tell_(control);
}

void ControlStore::OnWhole() {
  size_t entries = 0;
  {
    MutexLock lock(mutex_);
    if (whole_) return;
    whole_ = true;
    problem_.clear();
    entries = table_.live();
  }
  log::Info("the control topic was read", {{"topic", options_.topic}, {"entries", entries}});
  for (const v1::Control& piece : Whole()) tell_(piece);
}

void ControlStore::OnProblem(const std::string& problem) {
  log_.Warn("problem", "the control topic cannot be read; trying again", {{"problem", problem}});
  v1::Control control;
  control.set_problem(problem);
  {
    MutexLock lock(mutex_);
    if (problem_ == problem) return;
    problem_ = problem;
    if (whole_) return;  // what is known stays in force
  }
  tell_(control);
}

void ControlStore::OnTurn() {
  std::vector<v1::ControlEntry> clear;
  {
    MutexLock lock(mutex_);
    const MonoTime now = clock_.Now();
    for (const v1::ControlEntry& entry : table_.TakeEnded(clock_.WallNow())) ClearLater(entry, now);
    if (!whole_) return;
    for (auto ended = ended_.begin(); ended != ended_.end() && clear.size() < kClearedATurn;) {
      if (now < ended->second.clear_at) {
        ++ended;
        continue;
      }
      // Another one of its kind and subject may have come since, and not have been read back yet.
      const v1::ControlEntry& entry = ended->second.entry;
      const v1::ControlEntry* known = table_.Find(entry.kind(), entry.subject());
      if (known == nullptr || !control::Later(*known, entry)) clear.push_back(entry);
      ended = ended_.erase(ended);
    }
  }
  for (const v1::ControlEntry& entry : clear) {
    // One that fails is tried again when the topic is read the next time.
    (void)Send(entry, /*tombstone=*/true, [this](const absl::StatusOr<ProducedAt>& at) {
      if (at.ok()) counters_.cleared.Add();
    });
  }
}

std::vector<v1::Control> ControlStore::Whole() const {
  std::vector<v1::Control> pieces(1);
  MutexLock lock(mutex_);
  if (!whole_) {
    pieces.back().set_problem(problem_.empty() ? options_.topic + ": not read yet" : problem_);
    return pieces;
  }
  table_.ForEach([&](const v1::ControlEntry& entry) {
    if (pieces.back().entries_size() == kEntriesAMessage) pieces.emplace_back();
    *pieces.back().add_entries() = entry;
  });
  pieces.back().set_complete(true);
  return pieces;
}

absl::Status ControlStore::Send(const v1::ControlEntry& entry, bool tombstone,
                                Producer::Callback done) {
  const std::string key = control::KeyOf(entry);
  const std::string bytes = entry.SerializeAsString();
  ProduceRequest request;
  request.topic = options_.topic;
  request.key = key;
  if (tombstone) {
    request.headers = {{ControlRecord::kHeader, bytes}};
  } else {
    request.value = bytes;
  }
  return produce_(request, std::move(done));
}

void ControlStore::Write(const v1::ControlEntry& entry, Written written) {
  if (absl::Status status = control::Check(entry); !status.ok()) return written(status);
  {
    MutexLock lock(mutex_);
    const v1::ControlEntry* known = table_.Find(entry.kind(), entry.subject());
    if (known != nullptr && control::Later(*known, entry)) return written(true);
    const bool more = known == nullptr || !control::InForce(*known, clock_.WallNow());
    if (!entry.removed() && more && table_.live() >= options_.max_entries) {
      return written(absl::ResourceExhaustedError(
          absl::StrCat(options_.max_entries,
                       " blocks and revocations are in force, and no more may be "
                       "(ingest.control.max_entries): lift some")));
    }
    ended_.erase(control::KeyOf(entry));  // what it replaces needs no clearing any more
  }
  // Shared: whether Kafka's client accepts it is known only after the callback was given away.
  const auto shared = std::make_shared<Written>(std::move(written));
  const absl::Status accepted =
      Send(entry, entry.removed(), [this, shared, entry](const absl::StatusOr<ProducedAt>& at) {
        if (!at.ok()) {
          counters_.failed.Add();
          return (*shared)(at.status());
        }
        counters_.written.Add();
        Take(entry);
        (*shared)(false);
      });
  if (accepted.ok()) return;
  counters_.failed.Add();
  (*shared)(accepted);
}

ControlStore::Status ControlStore::status() const {
  MutexLock lock(mutex_);
  return {.whole = whole_, .problem = problem_, .entries = table_.live()};
}

}  // namespace spillway::ingest
