#include "services/edge/session/ack_tracker.h"

#include <algorithm>

namespace spillway::edge {

void AckTracker::OnSent(uint64_t channel, uint32_t slot, int64_t offset, MonoTime now) {
  Stream& stream = streams_[{channel, slot}];
  stream.last_sent = std::max(stream.last_sent, offset);
  ++events_;
  // Once one was not timed, what follows is not either: their order is that of offsets.
  if (stream.uncounted > 0 || timed_ >= kMost) {
    ++stream.uncounted;
    return;
  }
  stream.waiting.push_back({offset, now});
  ++timed_;
}

void AckTracker::OnAck(uint64_t channel, uint32_t slot, int64_t offset) {
  const auto found = streams_.find(Key{channel, slot});
  // Nothing was sent of it since: it is not remembered, else a client could fill the table.
  if (found == streams_.end()) return;
  Stream& stream = found->second;
  offset = std::min(offset, stream.last_sent);
  if (stream.acked.has_value() && offset <= *stream.acked) return;
  stream.acked = offset;
  if (offset == stream.last_sent) return Clear(&stream);
  while (!stream.waiting.empty() && stream.waiting.front().offset <= offset) {
    stream.waiting.pop_front();
    --timed_;
    --events_;
  }
}

void AckTracker::Forget(uint64_t channel) {
  for (auto it = streams_.begin(); it != streams_.end();) {
    if (it->first.first != channel) {
      ++it;
      continue;
    }
    Clear(&it->second);
    streams_.erase(it++);
  }
}

void AckTracker::Clear(Stream* stream) {
  events_ -= stream->waiting.size() + stream->uncounted;
  timed_ -= stream->waiting.size();
  stream->uncounted = 0;
  while (!stream->waiting.empty()) stream->waiting.pop_front();
}

std::optional<MonoTime> AckTracker::oldest() const {
  std::optional<MonoTime> oldest;
  for (const auto& [key, stream] : streams_) {
    if (stream.waiting.empty()) continue;
    const MonoTime sent = stream.waiting[0].sent;
    if (!oldest.has_value() || sent < *oldest) oldest = sent;
  }
  return oldest;
}

std::optional<int64_t> AckTracker::AckedOf(uint64_t channel, uint32_t slot) const {
  const auto found = streams_.find(Key{channel, slot});
  return found == streams_.end() ? std::nullopt : found->second.acked;
}

}  // namespace spillway::edge
