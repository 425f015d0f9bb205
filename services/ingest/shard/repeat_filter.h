#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "services/ingest/kafka/idempotency_key.h"

namespace spillway::ingest {

// Which records of a partition repeat an earlier one: those with an idempotency key that another
// record had, fewer than `window` offsets before. Any record with the key counts, also one that is
// itself a repeat, so that the answer depends on the records alone: whoever begins to read `window`
// offsets earlier comes to the same.
//
// Keys are compared whole. Those above kMaxKeyBytes are none. Holds at most `window` of them. One
// reader's, on its shard's thread.
class RepeatFilter {
 public:
  static constexpr size_t kMaxKeyBytes = kMaxIdempotencyKeyBytes;

  explicit RepeatFilter(int64_t window) : window_(window) {}

  // The reader has come to this record: records come in the order of their offsets.
  bool IsRepeat(std::string_view key, int64_t offset);

  size_t size() const { return last_.size(); }

 private:
  void Forget(int64_t offset);

  const int64_t window_;
  absl::flat_hash_map<std::string, int64_t> last_;  // the offset at which a key was met last
  struct Met {
    int64_t offset;
    std::string key;
  };
  std::deque<Met> met_;  // by offset
};

}  // namespace spillway::ingest
