#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/unit/services/edge/hub/hub_fakes.h"

namespace spillway::edge {

inline Ref<EdgeEvent> Keyed(SlotNumber slot, int64_t offset, std::string_view key) {
  wire::EventView view;
  view.offset = offset;
  view.channels.push_back("c");
  view.key = key;
  return EdgeEvent::Make(view, slot);
}

class HubLanes : public HubTest {
 protected:
  // Everyone begins at offset -1 of slot 0.
  void SetUp() override {
    Build(Options());
    Begin();
  }
  // Checkpoints only where a test is about them.
  static HubShard::Options Options() {
    HubShard::Options options;
    options.checkpoint_interval = std::chrono::hours(1);
    return options;
  }
  void Begin(std::vector<SlotNumber> snapshots = {}) {
    Slots(1, std::move(snapshots));
    KeepOpen(-1);
    Pass(std::chrono::milliseconds(0));  // of the first checkpoint, in which nothing has changed
  }
  void Join(FakeSubscriber& subscriber, Frequency frequency) {
    hub_->Subscribe(&subscriber, "c", /*snapshot=*/false, now_, frequency);
    subscriber.Take();
  }
  void Change(FakeSubscriber& subscriber, Frequency frequency) {
    EXPECT_TRUE(hub_->SetFrequency(&subscriber, "c", frequency));
  }
  // One batch; "a", "b", ... are keys, "" is none.
  void Keys(std::vector<std::pair<int64_t, std::string>> events) {
    EdgeBatch batch;
    for (const auto& [offset, key] : events) batch.events.push_back(Keyed(0, offset, key));
    batch.progress.push_back({0, events.back().first, 0});
    hub_->OnBatch(batch, now_);
  }

  FakeSubscriber other_;
};

}  // namespace spillway::edge
