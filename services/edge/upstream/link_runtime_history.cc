// LinkRuntime: reading channels' histories for operators.

#include <utility>

#include "services/edge/upstream/link_runtime_impl.h"

namespace spillway::edge {

void LinkRuntime::Impl::ReadHistory(const HistoryAsk& ask, const HistoryDone& done, MonoTime now) {
  if (histories_ended_ || histories_.size() >= options_.max_histories) {
    HistoryAnswer refused;
    refused.outcome =
        histories_ended_ ? HistoryAnswer::Outcome::kStopping : HistoryAnswer::Outcome::kBusy;
    return done(std::move(refused));
  }
  HistoryRead read{.answer = core_->PlanHistory(ask), .done = done};
  std::vector<std::pair<SlotNumber, int64_t>> from;
  for (const HistoryPlace& place : read.answer.places) {
    if (place.slot != kNoSlot && place.after < place.until) {
      from.emplace_back(place.slot, place.after);
    }
  }
  if (read.answer.outcome != HistoryAnswer::Outcome::kRead || from.empty()) {
    return done(std::move(read.answer));
  }
  read.left = from.size();
  const uint64_t id = next_history_++;
  histories_.emplace(id, std::move(read));
  core_->Read(kOperators, id, ask.channel, /*history=*/true, std::move(from), now);
}

void LinkRuntime::Impl::TakeHistory(uint64_t id, std::shared_ptr<const EdgeReadResult> result) {
  const auto found = histories_.find(id);
  if (found == histories_.end()) return;
  HistoryRead& read = found->second;
  read.left -= std::min(read.left, result->as_of.size());
  if (result->failed) read.answer.outcome = HistoryAnswer::Outcome::kFailed;
  read.answer.results.push_back(std::move(result));
  if (read.left > 0) return;
  HistoryRead ended = std::move(read);
  histories_.erase(found);
  ended.done(std::move(ended.answer));
}

void LinkRuntime::Impl::EndHistories() {
  histories_ended_ = true;
  std::map<uint64_t, HistoryRead> ended;
  ended.swap(histories_);
  for (auto& [id, read] : ended) {
    HistoryAnswer answer;
    answer.outcome = HistoryAnswer::Outcome::kStopping;
    read.done(std::move(answer));
  }
}

}  // namespace spillway::edge
