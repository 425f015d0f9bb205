#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "common/base/clock.h"
#include "services/edge/frame/channel_traits.h"
#include "services/edge/frame/frame.h"
#include "services/edge/ws/counters.h"

namespace spillway::edge::ws {

// What a backlog is made of, and the pool it comes from. Private to Backlog.

struct BacklogChannel;

// A frame that waits, or the gap that stands where frames were dropped. In the queue of its
// priority, and in the list of its channel.
struct BacklogNode {
  // A gap whose frame is not made yet.
  bool is_gap() const { return !frame; }
  // In the index are events that a newer one of their key may replace.
  bool indexed() const { return key_hash != 0; }
  uint64_t Hash() const { return HashOf(key_hash, channel); }
  // Many channels have the same keys.
  static uint64_t HashOf(uint64_t key_hash, const BacklogChannel* channel) {
    return key_hash ^ ((reinterpret_cast<uintptr_t>(channel) >> 4) * 0x9E3779B97F4A7C15u >> 32);
  }

  Ref<Frame> frame;  // null: a gap
  BacklogNode* next = nullptr;
  BacklogNode* previous = nullptr;
  BacklogChannel* channel = nullptr;  // null: the frame is of none
  BacklogNode* channel_next = nullptr;
  BacklogNode* channel_previous = nullptr;
  BacklogNode* chain = nullptr;  // in the index
  uint64_t key_hash = 0;
  int64_t from = 0;   // of a gap
  int64_t to = 0;     // of a gap
  uint32_t slot = 0;  // of a gap
  uint32_t lost = 0;  // events, of a gap, made or not; 0: none
  uint8_t queue = 0;
  bool droppable = false;
  bool silent = false;  // queued under traits that are
};

// What waits of one channel.
struct BacklogChannel {
  uint64_t Hash() const { return traits->hash; }

  Ref<const ChannelTraits> traits;  // as of the frame that was queued last
  BacklogNode* head = nullptr;
  BacklogNode* tail = nullptr;
  BacklogNode* oldest = nullptr;    // the first that may be dropped
  BacklogChannel* chain = nullptr;  // in the index
  uint8_t queue = 0;                // of all of its frames, so that they keep their order
};

// A hash table of what has a `chain` and a Hash(). As large as its content: there are no more
// buckets than four for each element, or kLeast. Allocates only where it grows or shrinks.
template <typename T>
class BacklogIndex {
 public:
  static constexpr size_t kLeast = 16;
  // What an element costs in buckets, at most.
  static constexpr size_t kCostEach = 4 * sizeof(T*);

  void Insert(T* item) {
    if (buckets_.empty()) buckets_.resize(kLeast);
    if (++size_ > buckets_.size()) Resize(buckets_.size() * 2);
    T*& bucket = BucketOf(item->Hash());
    item->chain = bucket;
    bucket = item;
  }
  void Remove(T* item) {
    T** link = &BucketOf(item->Hash());
    while (*link != item) link = &(*link)->chain;
    *link = item->chain;
    if (--size_ < buckets_.size() / 4 && buckets_.size() > kLeast) Resize(buckets_.size() / 2);
  }
  template <typename Matches>
  T* Find(uint64_t hash, Matches matches) const {
    if (size_ == 0) return nullptr;
    T* item = buckets_[hash & (buckets_.size() - 1)];
    while (item != nullptr && (item->Hash() != hash || !matches(*item))) item = item->chain;
    return item;
  }

 private:
  T*& BucketOf(uint64_t hash) { return buckets_[hash & (buckets_.size() - 1)]; }
  void Resize(size_t buckets) {
    std::vector<T*> old(buckets);
    old.swap(buckets_);
    for (T* item : old) {
      while (item != nullptr) {
        T* const next = item->chain;
        T*& bucket = BucketOf(item->Hash());
        item->chain = bucket;
        bucket = item;
        item = next;
      }
    }
  }

  std::vector<T*> buckets_;  // a power of two, or none
  size_t size_ = 0;
};

// The content of a backlog that is not empty.
struct BacklogState {
  static constexpr size_t kQueues = 4;

  struct Queue {
    BacklogNode* head = nullptr;
    BacklogNode* tail = nullptr;
    BacklogNode* oldest = nullptr;  // the first that may be dropped
  };

  std::array<Queue, kQueues> queues;  // in the order in which they leave
  BacklogNode* started = nullptr;     // leaves before all queues: a part of it may have left
  size_t started_sent = 0;
  size_t bytes = 0;     // frames as far as they did not leave, and what it costs to keep them
  size_t messages = 0;  // but for gaps
  size_t gaps = 0;      // made into frames or not
  MonoTime since;       // when it was last empty
  BacklogIndex<BacklogChannel> channels;
  BacklogIndex<BacklogNode> keys;
};

// The memory of all backlogs of a worker: what they give back is kept for the next, up to a bound,
// so that a backlog which stays about as long as it is allocates nothing. Belongs to one worker
// thread; owned by its ConnectionSet, outlives the backlogs.
class BacklogPool {
 public:
  // Kept for reuse: 1.7 MiB of nodes.
  static constexpr size_t kKeptNodes = 16 * 1024;
  static constexpr size_t kKeptChannels = 4 * 1024;
  static constexpr size_t kKeptStates = 64;

  explicit BacklogPool(BacklogCounters& counters) : counters_(counters) {}
  ~BacklogPool();
  BacklogPool(const BacklogPool&) = delete;
  BacklogPool& operator=(const BacklogPool&) = delete;

  BacklogNode* NewNode();
  void Free(BacklogNode* node);
  BacklogChannel* NewChannel();
  void Free(BacklogChannel* channel);
  std::unique_ptr<BacklogState> NewState();
  void Free(std::unique_ptr<BacklogState> state);

  BacklogCounters& counters() { return counters_; }

 private:
  BacklogCounters& counters_;
  BacklogNode* nodes_ = nullptr;  // by `next`
  size_t node_count_ = 0;
  BacklogChannel* channels_ = nullptr;  // by `chain`
  size_t channel_count_ = 0;
  std::vector<std::unique_ptr<BacklogState>> states_;
};

}  // namespace spillway::edge::ws
