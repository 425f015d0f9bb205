#include "services/edge/hub/slot_table.h"

#include "common/channel/channel_pattern.h"

namespace spillway::edge {

bool SlotEntry::Feeds(std::string_view channel, bool* snapshot) const {
  bool feeds_it = false;
  for (const Feed& feed : feeds) {
    if (!feed.pattern.Matches(channel)) continue;
    feeds_it = true;
    if (feed.snapshot) *snapshot = true;
  }
  return feeds_it;
}

bool SlotEntry::FeedsAny(const ChannelPattern& pattern, bool* snapshot) const {
  bool feeds_it = false;
  for (const Feed& feed : feeds) {
    if (!feed.pattern.Intersects(pattern)) continue;
    feeds_it = true;
    if (feed.snapshot) *snapshot = true;
  }
  return feeds_it;
}

}  // namespace spillway::edge
