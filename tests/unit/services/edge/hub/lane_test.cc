#include "services/edge/hub/lane.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace spillway::edge {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Ref<EdgeEvent> Make(SlotNumber slot, int64_t offset, std::string_view key, bool tombstone = false) {
  wire::EventView view;
  view.offset = offset;
  view.channels.push_back("c");
  view.key = key;
  view.tombstone = tombstone;
  return EdgeEvent::Make(view, slot);
}

std::string Text(const EdgeEvent& event) {
  return absl::StrCat(event.slot(), ":", event.offset(), event.view().tombstone ? " deleted" : "");
}

std::vector<std::string> Held(const Lane& lane, uint32_t after_mark = 0) {
  std::vector<std::string> held;
  lane.ForEach([&](const Lane::Held& entry) {
    if (entry.mark > after_mark) held.push_back(Text(*entry.event));
  });
  return held;
}

TEST(LaneTest, KeepsTheLatestOfEachKeyInTheOrderOfArrival) {
  Lane lane;
  EXPECT_FALSE(lane.Take(Make(0, 1, "a"), 0));
  EXPECT_FALSE(lane.Take(Make(0, 2, "b"), 0));
  EXPECT_TRUE(lane.Take(Make(0, 3, "a"), 0));
  EXPECT_TRUE(lane.Take(Make(0, 4, "a"), 0));
  EXPECT_FALSE(lane.Take(Make(0, 5, "c"), 0));
  EXPECT_THAT(Held(lane), ElementsAre("0:2", "0:4", "0:5"));
}

TEST(LaneTest, ATombstoneIsAnEventLikeOthers) {
  Lane lane;
  lane.Take(Make(0, 1, "a"), 0);
  lane.Take(Make(0, 2, "a", true), 0);
  EXPECT_THAT(Held(lane), ElementsAre("0:2 deleted"));
  lane.Take(Make(0, 3, "a"), 0);
  EXPECT_THAT(Held(lane), ElementsAre("0:3"));
}

TEST(LaneTest, EventsWithoutAKeyAreAllHeld) {
  Lane lane;
  for (int64_t offset : {1, 2, 3}) EXPECT_FALSE(lane.Take(Make(0, offset, ""), 0));
  EXPECT_THAT(Held(lane), ElementsAre("0:1", "0:2", "0:3"));
}

TEST(LaneTest, KeysBelongToTheirSlot) {
  Lane lane;
  lane.Take(Make(0, 1, "a"), 0);
  lane.Take(Make(1, 7, "a"), 0);
  lane.Take(Make(kNoSlot, 0, "a"), 0);
  EXPECT_TRUE(lane.Take(Make(0, 2, "a"), 0));
  EXPECT_EQ(lane.size(), 3u);
  EXPECT_THAT(Held(lane).back(), "0:2");
}

TEST(LaneTest, MarksSayWhatIsNewToWhoEnters) {
  Lane lane;
  lane.Take(Make(0, 1, "a"), 0);
  lane.Take(Make(0, 2, "b"), 0);
  const uint32_t entered = lane.mark();
  EXPECT_THAT(Held(lane, entered), IsEmpty());
  lane.Take(Make(0, 3, "a"), 0);
  EXPECT_THAT(Held(lane, entered), ElementsAre("0:3"));
}

TEST(LaneTest, ANewWindowBeginsEmpty) {
  Lane lane;
  lane.Take(Make(0, 1, "a"), 0);
  lane.Take(Make(0, 2, ""), 0);
  lane.Clear();
  EXPECT_TRUE(lane.empty());
  EXPECT_EQ(lane.bytes(), 0u);
  EXPECT_EQ(lane.mark(), 0u);
  EXPECT_FALSE(lane.Take(Make(0, 3, "a"), 0));  // replaces nothing of the last one
  EXPECT_THAT(Held(lane), ElementsAre("0:3"));
}

TEST(LaneTest, BytesAreThoseOfWhatIsHeld) {
  Lane lane;
  const Ref<EdgeEvent> small = Make(0, 1, "a");
  const Ref<EdgeEvent> large = Make(0, 2, std::string(500, 'k'));
  lane.Take(small, 0);
  lane.Take(large, 0);
  EXPECT_EQ(lane.bytes(), small->cost() + large->cost());
  lane.Take(Make(0, 3, "a"), 0);
  EXPECT_EQ(lane.bytes(), small->cost() + large->cost());
}

TEST(LaneTest, TheChannelsIndexIsThatOfTheLatestEvent) {
  Lane lane;
  lane.Take(Make(0, 1, "a"), 4);
  lane.Take(Make(0, 2, "a"), 2);
  lane.ForEach([](const Lane::Held& entry) { EXPECT_EQ(entry.channel_index, 2u); });
}

// Against a list that is searched from end to end.
TEST(LaneTest, HoldsWhatASimplerOneHolds) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    std::mt19937_64 random(seed);
    Lane lane;
    struct Entry {
      SlotNumber slot;
      std::string key;
      int64_t offset;
      uint32_t mark;
    };
    std::vector<Entry> reference;
    uint32_t mark = 0;
    int64_t offset = 0;
    const size_t keys = 1 + random() % 300;  // beyond what is never given back
    for (int step = 0; step < 600; ++step) {
      if (random() % 150 == 0) {
        lane.Clear();
        reference.clear();
        mark = 0;
      }
      const SlotNumber slot = static_cast<SlotNumber>(random() % 3);
      std::string key = random() % 10 == 0 ? "" : absl::StrCat("key", random() % keys);
      ++offset;
      ++mark;
      const bool replaced = lane.Take(Make(slot, offset, key), 0);
      const size_t erased = std::erase_if(reference, [&](const Entry& entry) {
        return !key.empty() && entry.slot == slot && entry.key == key;
      });
      ASSERT_EQ(replaced, erased == 1) << "seed " << seed << " step " << step;
      reference.push_back({slot, key, offset, mark});
      ASSERT_EQ(lane.size(), reference.size());
      ASSERT_EQ(lane.mark(), mark);
      if (step % 16 != 0) continue;
      const uint32_t after = static_cast<uint32_t>(random() % (mark + 1));
      std::vector<std::string> expected;
      for (const Entry& entry : reference) {
        if (entry.mark > after) expected.push_back(absl::StrCat(entry.slot, ":", entry.offset));
      }
      ASSERT_EQ(Held(lane, after), expected) << "seed " << seed << " step " << step;
    }
  }
}

}  // namespace
}  // namespace spillway::edge
