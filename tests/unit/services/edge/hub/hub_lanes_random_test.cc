// HubShard: subscribers at all frequencies, driven by chance.

#include <gmock/gmock.h>

#include <random>

#include "tests/unit/services/edge/hub/hub_lanes_fixture.h"

namespace spillway::edge {
namespace {

using std::chrono::milliseconds;

// Against clients that each keep a list of their own.
class Reference {
 public:
  Frequency frequency = Frequency::kHigh;
  std::vector<std::string> expected;

  void OnEvent(int64_t offset, const std::string& key) {
    if (frequency == Frequency::kHigh) {
      expected.push_back(absl::StrCat("0:", offset));
      return;
    }
    if (!key.empty()) std::erase_if(held_, [&](const auto& held) { return held.second == key; });
    held_.emplace_back(offset, key);
  }
  void Flush() {
    for (const auto& [offset, key] : held_) expected.push_back(absl::StrCat("0:", offset));
    held_.clear();
  }

 private:
  std::vector<std::pair<int64_t, std::string>> held_;
};

TEST_F(HubLanes, EveryClientGetsWhatOneAloneWouldGet) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    HubShard::Options options;
    options.checkpoint_interval = milliseconds(3'000);
    Build(options);
    now_ = MonoTime(std::chrono::hours(1));
    Begin();
    FakeSubscriber clients[6];
    Reference references[6];
    bool subscribed[6] = {};
    int64_t offset = 0;
    for (int step = 0; step < 400; ++step) {
      const size_t chosen = random() % 6;
      const auto frequency = static_cast<Frequency>(random() % kFrequencies);
      switch (random() % 8) {
        case 0:
          if (subscribed[chosen]) {
            Change(clients[chosen], frequency);
            if (references[chosen].frequency != frequency) references[chosen].Flush();
          } else {
            Join(clients[chosen], frequency);
            subscribed[chosen] = true;
          }
          references[chosen].frequency = frequency;
          break;
        case 1:
          if (random() % 4 != 0 || !subscribed[chosen]) break;
          hub_->Unsubscribe(&clients[chosen], "c");
          EXPECT_EQ(clients[chosen].Take(), references[chosen].expected);
          references[chosen] = Reference();
          subscribed[chosen] = false;
          break;
        case 2:
          if (random() % 8 != 0) break;
          hub_->OnGap(0, offset + 1, offset + 3, "limit", now_);
          for (size_t i = 0; i < 6; ++i) {
            if (!subscribed[i]) continue;
            references[i].Flush();
            references[i].expected.push_back(
                absl::StrCat("gap 0:", offset + 1, "..", offset + 3, " limit"));
          }
          offset += 3;
          break;
        case 3:
        case 4: {
          Pass(milliseconds(50));
          const auto at = now_.time_since_epoch();
          const milliseconds intervals[] = {milliseconds(0), milliseconds(250), milliseconds(1'000),
                                            milliseconds(5'000)};
          for (Reference& reference : references) {
            const milliseconds interval = intervals[static_cast<size_t>(reference.frequency)];
            if (interval.count() > 0 && at % interval == milliseconds(0)) reference.Flush();
          }
          break;
        }
        default: {
          const std::string key =
              random() % 8 == 0 ? "" : std::string(1, static_cast<char>('a' + random() % 5));
          Keys({{++offset, key}});
          for (size_t i = 0; i < 6; ++i) {
            if (subscribed[i]) references[i].OnEvent(offset, key);
          }
          break;
        }
      }
      // A checkpoint is told to all, and says what the keeper was told.
      for (const std::string& line : keeper_.Take()) {
        if (!line.starts_with("checkpoint")) continue;
        for (size_t i = 0; i < 6; ++i) {
          if (!subscribed[i]) continue;
          references[i].Flush();
          references[i].expected.push_back(line);
        }
      }
    }
    for (size_t i = 0; i < 6; ++i) {
      if (!subscribed[i]) continue;
      EXPECT_EQ(clients[i].Take(), references[i].expected) << "client " << i;
    }
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace spillway::edge
