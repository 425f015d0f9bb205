// Backlog against a plain model of its rules, which looks everything up from the start each time,
// and against what a client may expect: everything pushed is received in order or inside a gap told
// before anything later.

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <list>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "services/edge/ws/backlog.h"
#include "tests/unit/services/edge/ws/backlog_fixture.h"

namespace spillway::edge::ws {
namespace {

// The model.
class PlainBacklog {
 public:
  struct Entry {
    Ref<Frame> frame;  // null: a gap
    Ref<const ChannelTraits> traits;
    bool droppable = false;
    uint64_t key = 0;
    LostEvents lost = {};
  };
  using Queue = std::list<Entry>;

  explicit PlainBacklog(const BacklogLimits& limits) : limits_(limits) {}

  size_t frames() const {
    size_t count = started_ && !started_is_gap_ ? 1 : 0;
    for (const Queue& queue : queues_) {
      for (const Entry& entry : queue) count += entry.lost.count == 0 ? 1 : 0;
    }
    return count;
  }
  size_t gaps() const {
    size_t count = started_ && started_is_gap_ ? 1 : 0;
    for (const Queue& queue : queues_) {
      for (const Entry& entry : queue) count += entry.lost.count > 0 ? 1 : 0;
    }
    return count;
  }
  size_t bytes() const {
    if (frames() + gaps() == 0) return 0;
    size_t sum = Backlog::kStateCost;
    std::set<std::string> channels;
    if (started_) sum += started_->bytes().size() - sent_ + Backlog::kNodeCost;
    for (const Queue& queue : queues_) {
      for (const Entry& entry : queue) {
        sum += Backlog::kNodeCost;
        if (entry.frame) sum += entry.frame->bytes().size();
        if (entry.key != 0) sum += Backlog::kKeyCost;
        if (entry.traits) channels.insert(entry.traits->name);
      }
    }
    return sum + channels.size() * Backlog::kChannelCost;
  }

  bool Push(const Ref<Frame>& frame, const Ref<const ChannelTraits>& traits) {
    const FrameMeta meta = frame->meta();
    const Priority priority = traits ? traits->priority : Priority::kNormal;
    const size_t own = QueueOf(priority);
    const SlowPolicy slow = traits ? traits->slow : SlowPolicy::kDisconnect;
    Entry entry{.frame = frame, .traits = traits};
    entry.droppable = meta.event && slow != SlowPolicy::kDisconnect;
    if (entry.droppable && slow == SlowPolicy::kConflate) entry.key = meta.key_hash;
    if (entry.key != 0) {
      for (auto it = queues_[own].begin(); it != queues_[own].end(); ++it) {
        if (it->key != entry.key || it->traits->name != traits->name) continue;
        if (traits->silent && it->traits->silent) {
          queues_[own].erase(it);
          Join(own, traits->name);
        } else {
          Drop(own, *it);
        }
        break;
      }
    }
    const bool known = traits && Knows(own, traits->name);
    size_t cost = frame->bytes().size() + Backlog::kNodeCost;
    if (entry.key != 0) cost += Backlog::kKeyCost;
    if (traits && !known) cost += Backlog::kChannelCost;
    bool room = true;
    while (frames() + gaps() > 0 &&
           (bytes() + cost > limits_.bytes || frames() >= limits_.messages)) {
      room = false;
      if (entry.droppable && cost > limits_.bytes) break;
      if ((room = DropOldest(own + 1, nullptr))) continue;
      if (entry.droppable && slow == SlowPolicy::kDropNewest) break;
      if (entry.droppable && (room = DropOldest(own, &traits->name))) continue;
      if (!(room = DropOldest(own, nullptr))) break;
    }
    if (room) {
      queues_[own].push_back(std::move(entry));
      return true;
    }
    return entry.droppable && Refuse(own, traits, meta);
  }

  // What one write offers, gaps made; and what of it the kernel takes.
  std::string Write(size_t room, size_t max) {
    std::string offered;
    size_t count = 0;
    if (started_) {
      offered += started_->bytes().substr(sent_);
      ++count;
    }
    bool full = false;
    for (Queue& queue : queues_) {
      for (auto it = queue.begin(); it != queue.end() && !full; ++it) {
        full = count == max || offered.size() >= Backlog::kGatherBytes;
        if (full) break;
        if (!it->frame) {
          Ref<Frame> frame = Frame::Make(Opcode::kText, GapText(it->traits->name, it->lost));
          full = count > 0 && bytes() + frame->bytes().size() > limits_.bytes;
          if (full) break;
          it->frame = std::move(frame);
        }
        offered += it->frame->bytes();
        ++count;
      }
    }
    const size_t taken = std::min(room, offered.size());
    Take(taken, taken < offered.size());
    return offered.substr(0, taken);
  }

 private:
  static size_t QueueOf(Priority priority) { return 2 - static_cast<size_t>(priority); }

  bool Knows(size_t queue, const std::string& channel) const {
    return std::any_of(queues_[queue].begin(), queues_[queue].end(), [&](const Entry& entry) {
      return entry.traits && entry.traits->name == channel;
    });
  }

  // The oldest of the least priority, down from `queue`; of one channel.
  bool DropOldest(size_t queue, const std::string* channel) {
    for (size_t i = 3; i-- > queue;) {
      for (Entry& entry : queues_[i]) {
        if (!entry.droppable || (channel != nullptr && entry.traits->name != *channel)) continue;
        Drop(i, entry);
        return true;
      }
      if (channel != nullptr && i == queue) return false;
    }
    return false;
  }

  void Drop(size_t queue, Entry& entry) {
    const FrameMeta meta = entry.frame->meta();
    entry.lost = {.slot = meta.slot, .from = meta.offset, .to = meta.offset, .count = 1};
    entry.frame = Ref<Frame>();
    entry.droppable = false;
    entry.key = 0;
    Join(queue, entry.traits->name);
  }

  // Gaps of a slot with nothing of the channel between them are one, in the place of the first.
  void Join(size_t queue, const std::string& channel) {
    std::map<uint32_t, Entry*> row;
    for (auto it = queues_[queue].begin(); it != queues_[queue].end();) {
      if (!it->traits || it->traits->name != channel) {
        ++it;
      } else if (it->frame) {
        row.clear();
        ++it;
      } else if (const auto [first, fresh] = row.try_emplace(it->lost.slot, &*it); fresh) {
        ++it;
      } else {
        LostEvents& lost = first->second->lost;
        lost.from = std::min(lost.from, it->lost.from);
        lost.to = std::max(lost.to, it->lost.to);
        lost.count += it->lost.count;
        it = queues_[queue].erase(it);
      }
    }
  }

  bool Refuse(size_t own, const Ref<const ChannelTraits>& traits, const FrameMeta& meta) {
    const auto extends = [&] {
      for (auto it = queues_[own].rbegin(); it != queues_[own].rend(); ++it) {
        if (!it->traits || it->traits->name != traits->name) continue;
        if (it->frame) return false;
        if (it->lost.slot == meta.slot) return true;
      }
      return false;
    };
    const size_t cost = Backlog::kNodeCost + (Knows(own, traits->name) ? 0 : Backlog::kChannelCost);
    while (!extends() && bytes() + cost > limits_.bytes) {
      if (!DropOldest(own, nullptr)) return false;
    }
    Entry gap{.frame = {}, .traits = traits};
    gap.lost = {.slot = meta.slot, .from = meta.offset, .to = meta.offset, .count = 1};
    queues_[own].push_back(std::move(gap));
    Join(own, traits->name);
    return true;
  }

  void Take(size_t bytes, bool begun) {
    const auto front = [&]() -> Queue* {
      for (Queue& queue : queues_) {
        if (!queue.empty()) return &queue;
      }
      return nullptr;
    };
    const auto begin = [&] {
      Queue* queue = front();
      if (started_ || queue == nullptr || !queue->front().frame) return;
      started_ = queue->front().frame;
      started_is_gap_ = queue->front().lost.count > 0;
      sent_ = 0;
      queue->pop_front();
    };
    while (bytes > 0) {
      begin();
      const size_t part = std::min(bytes, started_->bytes().size() - sent_);
      bytes -= part;
      sent_ += part;
      if (sent_ == started_->bytes().size()) started_ = Ref<Frame>();
    }
    if (begun) begin();
  }

  const BacklogLimits limits_;
  Queue queues_[3];
  Ref<Frame> started_;
  bool started_is_gap_ = false;
  size_t sent_ = 0;
};

// What a client makes of it, by channel and slot.
class Reader {
 public:
  void Take(const std::string& message) {
    if (message.substr(0, 4) == "gap ") {
      const size_t space = message.find(' ', 4);
      const std::string channel = message.substr(4, space - 4);
      unsigned slot = 0;
      long long from = 0;
      long long to = 0;
      if (std::sscanf(message.c_str() + space + 1, "%u:%lld-%lld", &slot, &from, &to) != 3) return;
      ASSERT_LE(from, to) << message;
      int64_t& at = at_[{channel, slot}];
      ASSERT_GT(from, at) << message;
      at = to;
      for (long long offset = from; offset <= to; ++offset) got_[{channel, slot}].insert(offset);
    } else if (message.find(':') != std::string::npos) {
      const size_t space = message.find(' ');
      const std::string channel = message.substr(0, space);
      unsigned slot = 0;
      long long offset = 0;
      std::sscanf(message.c_str() + space + 1, "%u:%lld", &slot, &offset);
      if (slot == kNoSlotOfTest) return;
      int64_t& at = at_[{channel, slot}];
      ASSERT_GT(offset, at) << message;
      at = offset;
      got_[{channel, slot}].insert(offset);
    }
  }
  bool Knows(const std::string& channel, uint32_t slot, int64_t offset) const {
    const auto found = got_.find({channel, slot});
    return found != got_.end() && found->second.contains(offset);
  }

 private:
  std::map<std::pair<std::string, uint32_t>, int64_t> at_;
  std::map<std::pair<std::string, uint32_t>, std::set<int64_t>> got_;
};

class BacklogModelTest : public ::testing::TestWithParam<uint64_t> {};

TEST_P(BacklogModelTest, DoesAsTheModelDoes) {
  std::mt19937_64 random(GetParam());
  const auto below = [&](uint64_t n) { return random() % n; };
  const BacklogLimits limits{.bytes = 1500 + below(6000), .messages = 2 + below(40)};
  std::vector<Ref<const ChannelTraits>> channels;
  const bool with_strict = below(2) == 0;
  for (size_t i = 0; i < 2 + below(5); ++i) {
    const auto slow = static_cast<SlowPolicy>(with_strict ? below(4) : 1 + below(3));
    const auto priority = static_cast<Priority>(below(3));
    channels.push_back(Traits(absl::StrCat("c", i), slow, priority,
                              slow == SlowPolicy::kConflate && below(3) == 0));
    // One who changes between the channel itself and a lane of it.
    if (below(3) == 0) {
      channels.push_back(
          Traits(absl::StrCat("c", i), SlowPolicy::kConflate, priority, /*silent=*/true));
    }
  }
  const uint32_t slots = 1 + static_cast<uint32_t>(below(3));
  BacklogCounters counters;
  BacklogPool pool(counters);
  TextGaps gaps;
  Backlog backlog;
  PlainBacklog model(limits);
  Reader reader;
  std::string stream;
  int64_t next = 0;
  struct Sent {
    std::string channel;
    uint32_t slot;
    int64_t offset;
    bool silent;
  };
  std::vector<Sent> sent;
  bool closed = false;
  const auto write = [&](size_t room, size_t max) {
    iovec pieces[64];
    const size_t count = backlog.Gather(pool, limits, gaps, pieces, max);
    std::string taken;
    size_t size = 0;
    for (size_t i = 0; i < count; ++i) {
      taken.append(static_cast<const char*>(pieces[i].iov_base),
                   std::min(pieces[i].iov_len, room - taken.size()));
      size += pieces[i].iov_len;
    }
    backlog.Consume(pool, taken.size(), taken.size() < size);
    ASSERT_EQ(taken, model.Write(room, max));
    stream += taken;
    for (const std::string& message : TakeMessages(&stream)) {
      ASSERT_NO_FATAL_FAILURE(reader.Take(message));
    }
  };
  const uint64_t pushes = 1 + below(8);  // against one write
  for (int step = 0; step < 3000 && !closed; ++step) {
    if (below(pushes + 1) == 0) {
      ASSERT_NO_FATAL_FAILURE(write(below(4) == 0 ? 0 : below(400), 1 + below(30)));
    } else if (below(12) == 0) {
      // A frame that stays: of a channel, or of none.
      const Ref<Frame> frame = Frame::Make(Opcode::kText, absl::StrCat("other ", step));
      const auto& traits =
          below(2) == 0 ? channels[below(channels.size())] : Ref<const ChannelTraits>();
      const bool taken = backlog.Push(pool, limits, *frame, traits.get());
      ASSERT_EQ(taken, model.Push(frame, traits));
      closed = !taken;
    } else {
      const auto& traits = channels[below(channels.size())];
      const uint32_t slot = below(20) == 0 ? kNoSlotOfTest : static_cast<uint32_t>(below(slots));
      const size_t padding = below(50) == 0 ? below(8000) : below(60);
      const Ref<Frame> frame = EventFrame(traits->name, slot, ++next, below(6), padding);
      const bool taken = backlog.Push(pool, limits, *frame, traits.get());
      ASSERT_EQ(taken, model.Push(frame, traits)) << "step " << step;
      closed = !taken;
      if (taken && slot != kNoSlotOfTest) {
        sent.push_back({traits->name, slot, next, traits->silent});
      }
    }
    ASSERT_EQ(backlog.bytes(), model.bytes()) << "step " << step;
    ASSERT_EQ(backlog.gaps(), model.gaps());
    ASSERT_EQ(backlog.messages(), model.frames() + model.gaps());
    ASSERT_EQ(counters.bytes.Value(), static_cast<int64_t>(backlog.bytes()));
    ASSERT_EQ(counters.messages.Value(), static_cast<int64_t>(backlog.messages()));
    // One frame is taken whatever its size, and one gap's may come on top.
    if (backlog.messages() > 1) {
      ASSERT_LE(backlog.bytes(), std::max<size_t>(limits.bytes, 9000) + 60);
      ASSERT_LE(backlog.messages() - backlog.gaps(), limits.messages);
    }
  }
  while (!closed && !backlog.empty()) ASSERT_NO_FATAL_FAILURE(write(1 + below(500), 1 + below(30)));
  if (!closed) {
    for (const Sent& one : sent) {
      if (one.silent) continue;
      EXPECT_TRUE(reader.Knows(one.channel, one.slot, one.offset))
          << one.channel << " " << one.slot << ":" << one.offset;
    }
  }
  backlog.Clear(pool);
  EXPECT_EQ(counters.bytes.Value(), 0);
}

INSTANTIATE_TEST_SUITE_P(Seeds, BacklogModelTest, ::testing::Range<uint64_t>(1, 200));

}  // namespace
}  // namespace spillway::edge::ws
