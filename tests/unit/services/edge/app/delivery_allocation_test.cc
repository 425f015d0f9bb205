// The price of a delivery: an event costs the same allocations for two hundred clients as for one
// hundred, and is encoded (and compressed) once. From the batch in a worker's mailbox to the gather
// write. And the price of a connection: compression adds nothing to it.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "services/edge/dialect/json_encoder.h"
#include "services/edge/hub/hub_shard.h"
#include "services/edge/session/endpoint_acceptor.h"
#include "services/edge/session/session.h"
#include "services/edge/ws/connection_set.h"
#include "tests/support/allocations.h"
#include "tests/support/fake_clock.h"
#include "tests/unit/services/edge/hub/no_upstream.h"
#include "tests/unit/services/edge/ws/fake_stream.h"

namespace spillway::edge {
namespace {

class CountingEncoder final : public EventEncoder {
 public:
  explicit CountingEncoder(const EventEncoder& encoder) : encoder_(encoder) {}
  Ref<Frame> EncodeEvent(const EdgeEvent& event, size_t channel) const override {
    ++events;
    return encoder_.EncodeEvent(event, channel);
  }
  Ref<Frame> EncodeCheckpoint(std::string_view channel,
                              const std::vector<PositionEntry>& position) const override {
    return encoder_.EncodeCheckpoint(channel, position);
  }
  Ref<Frame> EncodeJoined(std::string_view channel, const PositionEntry& entry) const override {
    return encoder_.EncodeJoined(channel, entry);
  }
  Ref<Frame> EncodeEphemeralGap(std::string_view channel) const override {
    return encoder_.EncodeEphemeralGap(channel);
  }
  Ref<Frame> EncodeGap(std::string_view channel, const GapInfo& gap) const override {
    return encoder_.EncodeGap(channel, gap);
  }

  mutable size_t events = 0;

 private:
  const EventEncoder& encoder_;
};

constexpr SlotNumber kSlot = 0;
constexpr char kChannel[] = "price:BTC";
constexpr int64_t kKeys = 10;

enum class Compression { kNone, kAll };

// One worker with subscribed clients.
class Worker {
 public:
  explicit Worker(int clients, Compression compression = Compression::kNone,
                  Frequency frequency = Frequency::kHigh)
      : compression_(compression) {
    peer_.room = size_t{1} << 60;
    policy_ =
        std::make_unique<ChannelPolicy>(*ChannelPolicy::Compile({{.pattern = "**",
                                                                  .access = ChannelAccess::kAnyone,
                                                                  .allow = "",
                                                                  .frequency = frequency}}));
    EndpointOptions options;
    options.auth.required = false;
    options.subscribe = {kChannel};
    options.compression.mode = CompressionMode::kAlways;
    endpoint_ = *Endpoint::Create(
        options,
        {.dialect = &json_, .variant = variants_.Add(&encoder_, true), .policy = policy_.get()});
    acceptor_ = *EndpointAcceptor::Create({endpoint_.get()}, {&context_}, gate_);
    auto entry = std::make_shared<SlotEntry>();
    entry->number = kSlot;
    entry->source = "prices/0@0";
    entry->feeds.push_back({*ChannelPattern::Parse("price:*"), false});
    auto table = std::make_shared<SlotTable>();
    table->slots = {entry};
    table->complete = true;
    hub_.OnSlots(table, clock_.Now());
    Connect(clients);
    hub_.OnInterest(kChannel, kSlot, -1, clock_.Now());
  }

  void Connect(int clients) {
    std::optional<ws::DeflateAgreement> deflate;
    if (compression_ == Compression::kAll) deflate.emplace();
    set_.BeginTurn();
    for (int i = 0; i < clients; ++i) {
      http::Request request;
      request.path = "/ws";
      UpgradeDecision decision = acceptor_->OnUpgrade(request, 0);
      auto stream = std::make_unique<ws::FakeStream>(peer_);
      stream->record = false;
      set_.Add(std::move(stream), std::move(decision.handler), deflate, nullptr, 0);
    }
    set_.EndTurn();
  }

  // A batch of one event, as the link thread makes it; not counted.
  std::shared_ptr<const EdgeBatch> MakeBatch() {
    wire::EventView view;
    view.channels.push_back(kChannel);
    view.offset = ++offset_;
    view.type = "price";
    const std::string key = std::to_string(offset_ % kKeys);
    view.key = key;
    view.payload = payload_;
    view.encoding = 1;
    auto batch = std::make_shared<EdgeBatch>();
    batch->events.push_back(EdgeEvent::Make(view, kSlot, variants_.size()));
    batch->progress.push_back({kSlot, offset_, 0});
    return batch;
  }

  // The allocations of delivering them, a turn each.
  size_t Deliver(size_t events) {
    std::vector<std::shared_ptr<const EdgeBatch>> batches;
    for (size_t i = 0; i < events; ++i) batches.push_back(MakeBatch());
    const size_t before = test::AllocationsSoFar().count;
    for (auto& batch : batches) {
      set_.BeginTurn();
      hub_.OnBatch(*batch, clock_.Now());
      set_.EndTurn();
      batch.reset();
    }
    return test::AllocationsSoFar().count - before;
  }

  // Those of a flush of the lane, a second later.
  size_t Flush() {
    clock_.Advance(std::chrono::seconds(1));
    const size_t before = test::AllocationsSoFar().count;
    set_.BeginTurn();
    hub_.Tick(clock_.Now());
    set_.EndTurn();
    return test::AllocationsSoFar().count - before;
  }

  uint64_t deliveries() const { return hub_.counters().deliveries; }
  uint64_t frames_out() const { return socket_counters_.frames_out.Value(); }
  size_t encoded() const { return encoder_.events; }
  uint64_t compressed() const { return variants_.counters().compressed.Value(); }
  uint64_t sent_compressed() const { return counters_.messages_compressed.Value(); }

 private:
  const Compression compression_;
  const std::string payload_ =
      R"({"asks":[[64000.5,1.25],[64000.75,0.5],[64001,2.125],[64001.5,1.5],[64002,0.25]],)"
      R"("bids":[[64000.25,1.75],[64000,0.125],[63999.5,2.5],[63999,1.5],[63998.5,0.75]],)"
      R"("symbol":"BTC-USD","exchange":"test","sequence":123456789,"timestamp":1769846400250})";
  test::FakeClock clock_;
  TimingWheel wheel_{clock_, std::chrono::milliseconds(100)};
  JsonEncoder json_{*JsonEnvelope::Compile({}), JsonCommandLimits()};
  CountingEncoder encoder_{json_};
  VariantTable variants_;
  NoUpstream upstream_;
  HubShard hub_{{}, variants_, upstream_};
  SessionRegistry registry_;
  SessionCounters counters_;
  ConnectionGate gate_{1000};
  ws::FakeLoop loop_;
  ws::FakePeer peer_;
  ws::WorkerCounters socket_counters_;
  uint8_t next_random_ = 0;
  SessionContext context_{.hub = hub_,
                          .clock = clock_,
                          .wheel = wheel_,
                          .variants = variants_,
                          .registry = registry_,
                          .counters = counters_,
                          .node_id = "edge",
                          .limits = {},
                          .random =
                              [this](uint8_t* bytes, size_t size) {
                                ++next_random_;
                                for (size_t i = 0; i < size; ++i) bytes[i] = next_random_;
                              },
                          .keep = [this](Ref<Frame> frame) { set_.Keep(std::move(frame)); }};
  std::unique_ptr<ChannelPolicy> policy_;
  std::unique_ptr<Endpoint> endpoint_;
  std::unique_ptr<EndpointAcceptor> acceptor_;
  ws::ConnectionSet set_{loop_, wheel_, socket_counters_, ws::ConnectionOptions()};
  int64_t offset_ = -1;
};

constexpr size_t kWarmUp = 1000;  // the ring and the scratch have grown to their size
constexpr size_t kEvents = 1024;

TEST(DeliveryAllocationTest, AnEventCostsTheSameForAnyNumberOfClients) {
  size_t cost[2];
  for (int clients : {100, 200}) {
    Worker worker(clients);
    worker.Deliver(kWarmUp);
    ASSERT_EQ(worker.deliveries(), kWarmUp * static_cast<size_t>(clients));
    const size_t encoded = worker.encoded();
    const uint64_t sent = worker.frames_out();
    cost[clients / 100 - 1] = worker.Deliver(kEvents);
    EXPECT_EQ(worker.deliveries(), (kWarmUp + kEvents) * static_cast<size_t>(clients));
    EXPECT_EQ(worker.frames_out() - sent, kEvents * static_cast<size_t>(clients));
    EXPECT_EQ(worker.encoded() - encoded, kEvents);
  }
  EXPECT_EQ(cost[0], cost[1]);
  // The frame, and now and then a block of the ring's.
  EXPECT_GE(cost[0], kEvents);
  EXPECT_LE(cost[0], 2 * kEvents);
}

TEST(DeliveryAllocationTest, ACompressedEventIsMadeOnceForAll) {
  size_t cost[2];
  for (int clients : {100, 200}) {
    Worker worker(clients, Compression::kAll);
    worker.Deliver(kWarmUp);
    const size_t encoded = worker.encoded();
    const uint64_t compressed = worker.compressed();
    const uint64_t sent = worker.sent_compressed();
    cost[clients / 100 - 1] = worker.Deliver(kEvents);
    EXPECT_EQ(worker.encoded() - encoded, kEvents);
    EXPECT_EQ(worker.compressed() - compressed, kEvents);
    EXPECT_EQ(worker.sent_compressed() - sent, kEvents * static_cast<size_t>(clients));
  }
  EXPECT_EQ(cost[0], cost[1]);
  // The plain frame, which nobody keeps, and the compressed one.
  EXPECT_GE(cost[0], 2 * kEvents);
  EXPECT_LE(cost[0], 3 * kEvents);
}

TEST(DeliveryAllocationTest, CompressionAddsNothingToAConnection) {
  constexpr int kClients = 500;
  size_t grown[2];
  for (const Compression compression : {Compression::kNone, Compression::kAll}) {
    Worker worker(100, compression);
    worker.Deliver(10);
    const size_t before = test::AllocationsSoFar().live_bytes;
    worker.Connect(kClients);
    grown[static_cast<size_t>(compression)] = test::AllocationsSoFar().live_bytes - before;
    worker.Deliver(10);
    EXPECT_EQ(worker.sent_compressed(),
              compression == Compression::kAll ? 10u * (100 + 100 + kClients) : 0u);
  }
  EXPECT_GT(grown[0], kClients * 100u);  // it does measure
  // The allocator rounds sizes as it happens to: not by a pointer for each connection.
  EXPECT_NEAR(static_cast<double>(grown[1]), static_cast<double>(grown[0]), kClients * 7.9);
}

TEST(DeliveryAllocationTest, ALaneCostsAFrameForEachKeyInAFlush) {
  for (int clients : {100, 200}) {
    Worker worker(clients, Compression::kNone, Frequency::kLow);
    worker.Flush();  // and a first checkpoint
    worker.Deliver(kWarmUp);
    worker.Flush();
    const uint64_t sent = worker.frames_out();
    const size_t encoded = worker.encoded();
    // Taking events in: now and then a block of the ring's.
    EXPECT_LE(worker.Deliver(kEvents), kEvents / 8);
    EXPECT_EQ(worker.frames_out(), sent);
    EXPECT_EQ(worker.encoded(), encoded);
    EXPECT_EQ(worker.Flush(), kKeys);
    EXPECT_EQ(worker.encoded() - encoded, kKeys);
    EXPECT_EQ(worker.frames_out() - sent, kKeys * static_cast<size_t>(clients));
  }
}

}  // namespace
}  // namespace spillway::edge
