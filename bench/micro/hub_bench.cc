// What a worker's hub shard costs: a batch handed to the subscribers of a channel, who do nothing
// with it.
#include <benchmark/benchmark.h>

#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "services/edge/dialect/json_encoder.h"
#include "services/edge/hub/hub_shard.h"

namespace spillway::edge {
namespace {

constexpr SlotNumber kSlot = 0;
constexpr std::array<std::string_view, 10> kKeys = {"BTC", "ETH", "SOL", "XRP", "ADA",
                                                    "DOT", "LTC", "BCH", "UNI", "XLM"};

class CountingSubscriber final : public Subscriber {
 public:
  VariantId variant() const override { return 0; }
  bool CanPull() const override { return true; }
  void SendFrame(const Frame& frame, const ChannelTraits*) override {
    bytes_ += frame.bytes().size();
  }
  void OnSubscribed(std::string_view, const std::vector<PositionEntry>&, bool, Frequency) override {
  }
  void OnSnapshot(const SnapshotPiece&) override {}
  void OnSnapshotFailed(std::string_view, const std::vector<PositionEntry>&) override {}
  uint64_t bytes() const { return bytes_; }

 private:
  uint64_t bytes_ = 0;
};

class NoUpstream final : public Upstream {
 public:
  void AddInterest(size_t, std::string) override {}
  void RemoveInterest(size_t, std::string) override {}
  void Read(size_t, uint64_t, std::string, bool,
            std::vector<std::pair<SlotNumber, int64_t>>) override {}
};

// A shard with one slot that feeds "c", where everyone is live.
class Shard {
 public:
  explicit Shard(size_t subscribers, Frequency frequency = Frequency::kHigh)
      : encoder_(*JsonEnvelope::Compile({}), {}) {
    variants_.Add(&encoder_);
    auto entry = std::make_shared<SlotEntry>();
    entry->number = kSlot;
    entry->topic = "t";
    entry->source = "t/0@0";
    entry->feeds.push_back({*ChannelPattern::Parse("c"), false});
    auto table = std::make_shared<SlotTable>();
    table->slots.push_back(entry);
    table->complete = true;
    hub_ = std::make_unique<HubShard>(HubShard::Options{}, variants_, upstream_);
    hub_->OnSlots(table, now_);
    for (size_t i = 0; i < subscribers; ++i) {
      subscribers_.push_back(std::make_unique<CountingSubscriber>());
      hub_->Subscribe(subscribers_.back().get(), "c", false, now_, frequency);
    }
    hub_->OnInterest("c", kSlot, -1, now_);
  }

  void Deliver(size_t events) {
    EdgeBatch batch;
    for (size_t i = 0; i < events; ++i) {
      wire::EventView view;
      view.offset = ++offset_;
      view.channels.push_back("c");
      view.type = "market_price";
      view.key = kKeys[static_cast<size_t>(offset_) % kKeys.size()];
      view.payload = R"({"price":64123.45,"bid":64123.4,"ask":64123.5})";
      batch.events.push_back(EdgeEvent::Make(view, kSlot));
    }
    batch.progress.push_back({kSlot, offset_, 0});
    hub_->OnBatch(batch, now_);
  }

  // A second of 100 updates over 10 keys, one at a time, with the worker's ticks.
  void DeliverSecond() {
    for (int tick = 0; tick < 10; ++tick) {
      for (int n = 0; n < 10; ++n) Deliver(1);
      now_ += std::chrono::milliseconds(100);
      hub_->Tick(now_);
    }
  }

  uint64_t bytes_of_one() const { return subscribers_.front()->bytes(); }
  uint64_t deliveries() const { return hub_->counters().deliveries; }
  bool all_got_the_same() const {
    return subscribers_.front()->bytes() == subscribers_.back()->bytes();
  }

 private:
  JsonEncoder encoder_;
  VariantTable variants_;
  NoUpstream upstream_;
  MonoTime now_;
  int64_t offset_ = -1;
  std::vector<std::unique_ptr<CountingSubscriber>> subscribers_;
  std::unique_ptr<HubShard> hub_;
};

// range(0): subscribers, range(1): events of a batch. The time of a delivery is that of an item.
void BM_HubOnBatch(benchmark::State& state) {
  Shard shard(static_cast<size_t>(state.range(0)));
  for (auto _ : state) shard.Deliver(static_cast<size_t>(state.range(1)));
  const int64_t expected = state.iterations() * state.range(0) * state.range(1);
  if (shard.deliveries() != static_cast<uint64_t>(expected) || !shard.all_got_the_same()) {
    state.SkipWithError("not everyone got everything");
  }
  state.SetItemsProcessed(expected);
}
BENCHMARK(BM_HubOnBatch)->Args({1, 1})->Args({1000, 1})->Args({1000, 50})->Args({20'000, 1});

// range(0): subscribers, range(1): their frequency. The time is that of a second's traffic.
void BM_HubFrequency(benchmark::State& state) {
  const auto frequency = static_cast<Frequency>(state.range(1));
  Shard shard(static_cast<size_t>(state.range(0)), frequency);
  for (auto _ : state) shard.DeliverSecond();
  const auto seconds = static_cast<double>(state.iterations());
  state.SetLabel(std::string(NameOf(frequency)));
  state.counters["messages/s each"] =
      static_cast<double>(shard.deliveries()) / static_cast<double>(state.range(0)) / seconds;
  state.counters["bytes/s each"] = static_cast<double>(shard.bytes_of_one()) / seconds;
}
BENCHMARK(BM_HubFrequency)->ArgsProduct({{1000}, {0, 1, 2, 3}});

}  // namespace
}  // namespace spillway::edge

BENCHMARK_MAIN();
