#include "services/ingest/app/reader_board.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/iso_time.h"
#include "common/base/json_text.h"

namespace spillway::ingest {

namespace {

constexpr size_t kInWords = 5;

}  // namespace

ReaderBoard::ReaderBoard(const Clock& clock, lifecycle::Readiness& readiness)
    : clock_(clock), readiness_(readiness) {}

void ReaderBoard::Report(size_t shard, std::vector<ReaderReport> readers) {
  MutexLock lock(mutex_);
  shards_[shard] = std::move(readers);
  Tell();
}

void ReaderBoard::SetKafkaUp(bool up) {
  MutexLock lock(mutex_);
  kafka_up_ = up;
}

void ReaderBoard::Tell() {
  std::vector<Stalled> stalled;
  for (const auto& [shard, readers] : shards_) {
    for (const ReaderReport& reader : readers) {
      if (!reader.status.stalled) continue;
      stalled.push_back({.topic = reader.topic,
                         .partition = reader.partition,
                         .since = reader.status.since,
                         .reason = std::string(reader.status.reason)});
    }
  }
  std::sort(stalled.begin(), stalled.end());
  if (told_any_ && stalled == told_) return;
  told_any_ = true;
  told_ = std::move(stalled);

  std::string json = "[";
  std::vector<std::string> words;
  for (const Stalled& one : told_) {
    if (words.size() == kNamed) break;
    if (!words.empty()) json.push_back(',');
    const auto ago =
        std::chrono::duration_cast<std::chrono::microseconds>(clock_.Now() - one.since);
    absl::StrAppend(&json, "{\"topic\":", JsonString(one.topic), ",\"partition\":", one.partition,
                    ",\"since\":", JsonString(IsoTime(clock_.WallNow() - ago)),
                    ",\"reason\":", JsonString(one.reason), "}");
    words.push_back(absl::StrCat(one.topic, "/", one.partition, ": ", one.reason));
  }
  json.push_back(']');
  if (words.size() > kInWords) {
    words.resize(kInWords);
    words.push_back("...");
  }
  readiness_.SetMember("stalled_readers", std::move(json));
  if (told_.empty()) {
    readiness_.Set("readers", "reading", lifecycle::Readiness::Level::kOk);
  } else {
    readiness_.Set("readers", absl::StrCat(told_.size(), " stalled"),
                   lifecycle::Readiness::Level::kDegraded, absl::StrJoin(words, ", "));
  }
}

std::vector<PartitionWatch::Partition> ReaderBoard::Watched() const {
  std::vector<PartitionWatch::Partition> watched;
  MutexLock lock(mutex_);
  if (!kafka_up_) return watched;
  for (const auto& [shard, readers] : shards_) {
    for (const ReaderReport& reader : readers) {
      if (!reader.status.reading) continue;
      watched.push_back(
          {.id = reader.status.slot, .topic = reader.topic, .partition = reader.partition});
    }
  }
  return watched;
}

std::map<std::string, int64_t> ReaderBoard::Lags() const {
  std::map<std::string, int64_t> lags;
  MutexLock lock(mutex_);
  for (const auto& [shard, readers] : shards_) {
    for (const ReaderReport& reader : readers) {
      if (reader.status.lag >= 0) lags[reader.topic] += reader.status.lag;
    }
  }
  return lags;
}

}  // namespace spillway::ingest
