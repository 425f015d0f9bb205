#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/auth/jwt.h"
#include "services/edge/dialect/json_encoder.h"
#include "services/edge/frame/deflate.h"
#include "services/edge/session/endpoint_acceptor.h"
#include "services/edge/session/session.h"
#include "tests/support/fake_clock.h"
#include "tests/support/jwt_factory.h"

namespace spillway::edge {

// What a connection would have sent, as text.
class FakeTransport final : public Transport {
 public:
  void Send(const Frame& frame, const ChannelTraits* traits) override {
    if (closed) return;
    sent_traits.push_back(traits);
    std::string text(frame.payload());
    if (frame.compressed()) {
      ++compressed;
      Inflater inflater;
      text = inflater.Inflate(frame.payload(), size_t{1} << 20).payload;
    }
    if (frame.opcode() == Opcode::kPing) text = "<ping>" + text;
    sent.push_back(std::move(text));
  }
  void Close(uint16_t code, std::string_view reason) override {
    if (closed) return;
    closed = true;
    close_code = code;
    close_reason = std::string(reason);
  }
  size_t backlog_bytes() const override { return bytes; }
  size_t backlog_messages() const override { return messages; }
  std::chrono::milliseconds backlog_age() const override { return age; }
  int deflate_window_bits() const override { return window_bits; }

  // What was sent since the last call.
  std::vector<std::string> Take() { return std::exchange(sent, {}); }

  std::vector<std::string> sent;
  std::vector<const ChannelTraits*> sent_traits;  // of all that was sent, taken or not
  bool closed = false;
  uint16_t close_code = 0;
  std::string close_reason;
  size_t bytes = 0;
  size_t messages = 0;
  std::chrono::milliseconds age{0};
  int window_bits = 0;  // agreed to; 0: no compression
  int compressed = 0;   // frames
};

class FakeUpstream final : public Upstream {
 public:
  void AddInterest(size_t, std::string channel, uint64_t) override {
    added.push_back(std::move(channel));
  }
  void RemoveInterest(size_t, std::string channel) override {
    removed.push_back(std::move(channel));
  }
  void Read(size_t, uint64_t read_id, std::string channel, bool,
            std::vector<std::pair<SlotNumber, int64_t>>) override {
    reads.emplace_back(read_id, std::move(channel));
  }
  void Judge(size_t, uint64_t read_id, std::vector<SlotClaim> claims) override {
    for (const SlotClaim& claim : claims) judged.emplace_back(read_id, claim.fingerprint);
  }

  std::vector<std::string> added;
  std::vector<std::string> removed;
  std::vector<std::pair<uint64_t, std::string>> reads;
  std::vector<std::pair<uint64_t, uint16_t>> judged;
};

// One worker with a real hub shard; one endpoint, made by Build().
class SessionTest : public ::testing::Test {
 protected:
  static constexpr char kSecret[] = "a secret of at least thirty-two bytes";

  SessionTest() { UseEnvelope({}); }

  void UseEnvelope(const std::map<std::string, std::string, std::less<>>& envelope) {
    encoders_.push_back(
        std::make_unique<JsonEncoder>(*JsonEnvelope::Compile(envelope), JsonCommandLimits{}));
    variant_ = variants_.Add(encoders_.back().get(), /*compressed=*/true);
  }

  // Makes the endpoint; an error is a failure of the test.
  void Build(EndpointOptions options, std::vector<ChannelRule> rules = {}) {
    policies_.push_back(
        std::make_unique<ChannelPolicy>(*ChannelPolicy::Compile(rules, unmatched_)));
    auto endpoint = Endpoint::Create(std::move(options), {.dialect = encoders_.back().get(),
                                                          .variant = variant_,
                                                          .policy = policies_.back().get(),
                                                          .verifier = verifier_.get()});
    ASSERT_TRUE(endpoint.ok()) << endpoint.status();
    endpoints_.push_back(*std::move(endpoint));
    auto acceptor =
        EndpointAcceptor::Create({endpoints_.back().get()}, {&context_}, gate_, limits_.get());
    ASSERT_TRUE(acceptor.ok()) << acceptor.status();
    acceptor_ = *std::move(acceptor);
  }

  // An endpoint that lets everybody in and has no heartbeat.
  static EndpointOptions Open() {
    EndpointOptions options;
    options.auth.required = false;
    options.heartbeat.interval = options.heartbeat.timeout = std::chrono::milliseconds(0);
    return options;
  }

  struct Client {
    std::unique_ptr<FakeTransport> transport = std::make_unique<FakeTransport>();
    std::unique_ptr<Session> session;

    void Says(std::string_view text) { session->OnMessage(text, true); }
    std::vector<std::string> Take() { return transport->Take(); }
    std::string TakeOne() {
      const auto messages = Take();
      return messages.size() == 1 ? messages[0] : ::testing::PrintToString(messages);
    }
  };

  static http::Request RequestOf(std::vector<std::pair<std::string, std::string>> query,
                                 std::string path = "/ws", std::string ip = "10.0.0.1") {
    http::Request request;
    request.method = "GET";
    request.path = std::move(path);
    request.query = std::move(query);
    request.remote_ip = std::move(ip);
    return request;
  }

  std::string Token(std::string_view sub,
                    const std::vector<std::pair<std::string, std::string>>& more = {}) {
    return test::UserToken(kSecret, sub, ToUnixMillis(clock_.WallNow()) / 1000 + 3600, more);
  }

  // The status, the code and nothing else; "" if let in.
  std::string RefusalOf(const http::Request& request) {
    const UpgradeDecision decision = acceptor_->OnUpgrade(request, 0);
    if (!decision.refusal.has_value()) return "";
    EXPECT_EQ(decision.refusal->content_type, "application/json");
    const std::string& body = decision.refusal->body;
    const std::string start = "{\"error\":{\"code\":\"";
    EXPECT_EQ(body.substr(0, start.size()), start);
    return std::to_string(decision.refusal->status) + " " +
           body.substr(start.size(), body.find('"', start.size()) - start.size());
  }

  Client Connect(const http::Request& request, int window_bits = 0) {
    Client client;
    client.transport->window_bits = window_bits;
    UpgradeDecision decision = acceptor_->OnUpgrade(request, 0);
    EXPECT_FALSE(decision.refusal.has_value());
    if (!decision.refusal.has_value()) {
      client.session.reset(static_cast<Session*>(decision.handler.release()));
      client.session->OnOpen(client.transport.get());
    }
    return client;
  }
  // Connected, its hello taken.
  Client Connect() {
    Client client = Connect(RequestOf({}));
    client.Take();
    return client;
  }

  // Moves the time on in the wheel's steps.
  void Pass(std::chrono::milliseconds time) {
    for (std::chrono::milliseconds gone{0}; gone < time; gone += wheel_.tick()) {
      clock_.Advance(wheel_.tick());
      wheel_.Advance();
    }
  }

  // The catalogue: one slot, number 3, that feeds `pattern`.
  void OfferSlot(std::string_view pattern, bool snapshot) {
    auto entry = std::make_shared<SlotEntry>();
    entry->number = 3;
    entry->topic = "ticks";
    entry->source = "ticks/0@0";
    entry->feeds.push_back({*ChannelPattern::Parse(pattern), snapshot});
    auto table = std::make_shared<SlotTable>();
    table->slots = {nullptr, nullptr, nullptr, entry};
    table->complete = true;
    hub_.OnSlots(table, clock_.Now());
  }
  void OfferNoSlots() {
    auto table = std::make_shared<SlotTable>();
    table->complete = true;
    hub_.OnSlots(table, clock_.Now());
  }

  static Ref<EdgeEvent> EventOf(std::string_view channel, int64_t offset, std::string_view payload,
                                SlotNumber slot = 3) {
    wire::EventView view;
    view.channels.push_back(channel);
    view.offset = offset;
    view.type = "tick";
    view.payload = payload;
    view.encoding = 1;
    return EdgeEvent::Make(view, slot);
  }

  test::FakeClock clock_;
  TimingWheel wheel_{clock_, std::chrono::milliseconds(50)};
  FakeUpstream upstream_;
  VariantTable variants_;
  HubShard hub_{{}, variants_, upstream_};
  SessionRegistry registry_;
  SessionCounters counters_;
  ConnectionGate gate_{1'000};
  std::unique_ptr<ConnectionLimits> limits_;  // set before Build(); null: none
  int next_random_ = 0;
  std::vector<Ref<Frame>> kept_;
  SessionContext context_{.hub = hub_,
                          .clock = clock_,
                          .wheel = wheel_,
                          .variants = variants_,
                          .registry = registry_,
                          .counters = counters_,
                          .node_id = "edge-0",
                          .limits = {},
                          .random =
                              [this](uint8_t* bytes, size_t size) {
                                ++next_random_;
                                for (size_t i = 0; i < size; ++i) {
                                  bytes[i] = static_cast<uint8_t>(next_random_ + 16 * i);
                                }
                                // Else there were 256 different ones.
                                bytes[size - 1] += static_cast<uint8_t>(next_random_ / 256);
                              },
                          .keep = [this](Ref<Frame> frame) { kept_.push_back(std::move(frame)); }};
  std::unique_ptr<auth::JwtVerifier> verifier_ =
      *auth::JwtVerifier::Create({.secrets = {kSecret}, .issuer = {}, .audience = {}}, clock_);
  ChannelAccess unmatched_ = ChannelAccess::kAnyone;
  std::vector<std::unique_ptr<JsonEncoder>> encoders_;
  VariantId variant_ = 0;
  // Earlier ones stay, for the clients that came in by them.
  std::vector<std::unique_ptr<ChannelPolicy>> policies_;
  std::vector<std::unique_ptr<Endpoint>> endpoints_;
  std::unique_ptr<EndpointAcceptor> acceptor_;
};

}  // namespace spillway::edge
