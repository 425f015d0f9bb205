#include "services/edge/upstream/kept_histories.h"

#include <algorithm>

namespace spillway::edge {

bool KeptHistories::BeginsNoLater(const Offsets& asked, const Offsets& after) {
  return std::equal(
      asked.begin(), asked.end(), after.begin(), after.end(),
      [](const auto& a, const auto& b) { return a.first == b.first && a.second <= b.second; });
}

bool KeptHistories::Serves(const Offsets& asked, const EdgeReadResult& result,
                           const Offsets& after) {
  // A gap is told to those who asked for it.
  if (result.failed || !result.gaps.empty() || !BeginsNoLater(asked, after)) return false;
  bool brings_on = false;
  for (const auto& [slot, offset] : after) {
    const auto as_of = std::find_if(result.as_of.begin(), result.as_of.end(),
                                    [slot = slot](const auto& one) { return one.slot == slot; });
    if (as_of == result.as_of.end() || as_of->upto < offset) return false;
    brings_on = brings_on || as_of->upto > offset;
  }
  return brings_on;
}

KeptHistories::Result KeptHistories::Find(std::string_view channel, const Offsets& after) const {
  const auto found = by_channel_.find(channel);
  if (found == by_channel_.end()) return nullptr;
  for (auto piece = found->second.rbegin(); piece != found->second.rend(); ++piece) {
    if (Serves((*piece)->asked, *(*piece)->result, after)) return (*piece)->result;
  }
  return nullptr;
}

void KeptHistories::Keep(std::string channel, Offsets asked, Result result, MonoTime now) {
  auto piece = std::make_shared<Piece>();
  for (const Ref<EdgeEvent>& event : result->events) piece->bytes += event->cost();
  if (piece->bytes == 0 || piece->bytes > options_.bytes) return;
  piece->channel = std::move(channel);
  piece->asked = std::move(asked);
  piece->result = std::move(result);
  piece->when = now;
  bytes_ += piece->bytes;
  by_channel_[piece->channel].push_back(piece);
  by_age_.push_back(std::move(piece));
  while (bytes_ > options_.bytes) DropOldest();
}

void KeptHistories::Expire(MonoTime now) {
  while (!by_age_.empty() && now - by_age_.front()->when >= options_.age) DropOldest();
}

void KeptHistories::DropOldest() {
  const auto oldest = std::move(by_age_.front());
  by_age_.pop_front();
  bytes_ -= oldest->bytes;
  const auto found = by_channel_.find(oldest->channel);
  std::erase(found->second, oldest);
  if (found->second.empty()) by_channel_.erase(found);
}

}  // namespace spillway::edge
