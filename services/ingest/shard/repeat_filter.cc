#include "services/ingest/shard/repeat_filter.h"

#include <utility>

namespace spillway::ingest {

bool RepeatFilter::IsRepeat(std::string_view key, int64_t offset) {
  Forget(offset - window_);
  if (key.empty() || key.size() > kMaxKeyBytes) return false;
  const auto [entry, fresh] = last_.try_emplace(std::string(key), offset);
  entry->second = offset;
  met_.push_back({offset, std::string(key)});
  return !fresh;
}

// What was met at or before this offset.
void RepeatFilter::Forget(int64_t offset) {
  while (!met_.empty() && met_.front().offset <= offset) {
    const auto found = last_.find(met_.front().key);
    if (found != last_.end() && found->second == met_.front().offset) last_.erase(found);
    met_.pop_front();
  }
}

}  // namespace spillway::ingest
