// What a worker's hub shard costs: a batch handed to the subscribers of a channel, who do nothing
// with it.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "services/edge/dialect/json_encoder.h"
#include "services/edge/hub/hub_shard.h"
#include "tests/unit/services/edge/hub/no_upstream.h"

namespace spillway::edge {
namespace {

constexpr SlotNumber kSlot = 0;

// What a delivery touches of it is in one line of the cache.
class alignas(64) CountingSubscriber final : public Subscriber {
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

// A shard with one slot that feeds "c:0", "c:1", ..., where everyone is live: so many subscribers
// take turns to be on the next of so many channels.
class Shard {
 public:
  explicit Shard(size_t subscribers, size_t channels = 1)
      : channels_(channels), encoder_(*JsonEnvelope::Compile({}), {}) {
    variants_.Add(&encoder_);
    auto entry = std::make_shared<SlotEntry>();
    entry->number = kSlot;
    entry->topic = "t";
    entry->source = "t/0@0";
    entry->feeds.push_back({*ChannelPattern::Parse("c:*"), false});
    auto table = std::make_shared<SlotTable>();
    table->slots.push_back(entry);
    table->complete = true;
    hub_ = std::make_unique<HubShard>(HubShard::Options{}, variants_, upstream_);
    hub_->OnSlots(table, now_);
    for (size_t i = 0; i < subscribers; ++i) {
      subscribers_.push_back(std::make_unique<CountingSubscriber>());
      hub_->Subscribe(subscribers_.back().get(), Name(i), false, now_);
    }
    for (size_t i = 0; i < channels; ++i) hub_->OnInterest(Name(i), kSlot, -1, now_);
  }

  void Deliver(size_t events) {
    EdgeBatch batch;
    for (size_t i = 0; i < events; ++i) {
      wire::EventView view;
      view.offset = ++offset_;
      // Far from each other in memory, as clients of a busy server are.
      const std::string channel = Name(static_cast<size_t>(offset_) * 7919);
      view.channels.push_back(channel);
      view.type = "market_price";
      view.payload = R"({"price":64123.45,"bid":64123.4,"ask":64123.5})";
      batch.events.push_back(EdgeEvent::Make(view, kSlot));
    }
    batch.progress.push_back({kSlot, offset_, 0});
    hub_->OnBatch(batch, now_);
  }

  std::string Name(size_t i) const { return "c:" + std::to_string(i % channels_); }
  uint64_t deliveries() const { return hub_->counters().deliveries; }
  bool all_got_the_same() const {
    return subscribers_.front()->bytes() == subscribers_.back()->bytes();
  }

 private:
  const size_t channels_;
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

// range(0): subscribers, each with a channel of its own; 50 events of a batch. The time of an
// event, its making and its frame included, is that of an item.
void BM_HubOwnChannels(benchmark::State& state) {
  const auto clients = static_cast<size_t>(state.range(0));
  Shard shard(clients, clients);
  for (auto _ : state) shard.Deliver(50);
  state.SetItemsProcessed(state.iterations() * 50);
}
BENCHMARK(BM_HubOwnChannels)->Arg(100)->Arg(20'000);

}  // namespace
}  // namespace spillway::edge

BENCHMARK_MAIN();
