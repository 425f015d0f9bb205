#include "services/edge/auth/answer_cache.h"

#include <iterator>
#include <utility>

namespace spillway::edge {

AuthVerdictRef AnswerCache::Find(const std::string& question, MonoTime now) {
  const auto found = entries_.find(question);
  if (found == entries_.end()) return nullptr;
  const List::iterator entry = found->second;
  if (now >= entry->until) {
    Erase(entry);
    return nullptr;
  }
  order_.splice(order_.begin(), order_, entry);
  return entry->verdict;
}

void AnswerCache::Put(const std::string& question, AuthVerdictRef verdict, size_t bytes,
                      MonoTime until) {
  if (const auto found = entries_.find(question); found != entries_.end()) Erase(found->second);
  if (options_.entries == 0 || bytes > options_.bytes) return;
  while (entries_.size() >= options_.entries || bytes_ + bytes > options_.bytes) {
    Erase(std::prev(order_.end()));
    ++evictions_;
  }
  order_.push_front(
      {.question = question, .verdict = std::move(verdict), .bytes = bytes, .until = until});
  entries_.emplace(question, order_.begin());
  bytes_ += bytes;
}

void AnswerCache::Erase(List::iterator entry) {
  bytes_ -= entry->bytes;
  entries_.erase(entry->question);
  order_.erase(entry);
}

}  // namespace spillway::edge
