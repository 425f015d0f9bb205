#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "common/base/ref_counted.h"

namespace spillway::edge {

// What happens to a channel's events on a connection that does not read fast enough.
enum class SlowPolicy : uint8_t {
  kDisconnect,  // none is dropped: the connection is closed when nothing else can give way
  kConflate,    // a newer event replaces the older one of its key
  kDropOldest,
  kDropNewest,
};

// Order among the channels of one connection when it falls behind.
enum class Priority : uint8_t { kLow, kNormal, kHigh };

struct ChannelSettings {
  SlowPolicy slow = SlowPolicy::kDisconnect;
  Priority priority = Priority::kNormal;
  bool ephemeral = false;  // its subscribers are told that events which are not in Kafka were lost
};

// How a connection's backlog treats the frames of a channel, made once for a channel (or one of its
// lanes) that a worker has open. Frames that are on their way refer to it: the hub keeps it beyond
// the channel's end until every turn that may have used it is over, backlogs hold references.
// Immutable.
struct ChannelTraits final : public RefCounted<ChannelTraits> {
  ChannelTraits(std::string channel, uint64_t channel_hash, const ChannelSettings& settings,
                bool is_silent = false)
      : name(std::move(channel)),
        hash(channel_hash),
        pattern(name.find('*') != std::string::npos),
        slow(settings.slow),
        priority(settings.priority),
        ephemeral(settings.ephemeral),
        silent(is_silent) {}

  const std::string name;
  const uint64_t hash;  // ChannelHash(name)
  const bool pattern;   // `name` is one
  const SlowPolicy slow;
  const Priority priority;
  const bool ephemeral;
  const bool silent;  // conflation is what the client asked for: it is not told as a gap
};

}  // namespace spillway::edge
