#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/auth/jwt.h"
#include "common/base/clock.h"
#include "common/http/http_types.h"
#include "services/edge/dialect/json_encoder.h"
#include "services/edge/hub/hub_shard.h"
#include "services/edge/session/endpoint_acceptor.h"
#include "services/edge/session/session.h"
#include "services/edge/timer/timing_wheel.h"
#include "services/edge/ws/connection_set.h"
#include "tests/unit/services/edge/hub/no_upstream.h"

namespace spillway::edge::test_support {

// Takes all that is written, and never has anything to read.
class WrittenAway final : public ws::ByteStream {
 public:
  int fd() const override { return fd_; }
  ws::IoResult Read(char*, size_t) override { return {ws::IoResult::Status::kWouldBlock, 0}; }
  ws::IoResult Write(const iovec* pieces, size_t count) override {
    size_t size = 0;
    for (size_t i = 0; i < count; ++i) size += pieces[i].iov_len;
    return {ws::IoResult::Status::kOk, size};
  }
  void ShutdownWrite() override {}

 private:
  int fd_ = -1;  // as large as a stream over a socket
};

// All that a worker of the edge has for its clients, but for sockets and threads. The endpoint
// wants tokens, takes commands and keeps a heartbeat, as most do.
class SilentWorker {
 public:
  static constexpr char kSecret[] = "0123456789abcdef0123456789abcdef";

  // `clock` outlives it.
  explicit SilentWorker(Clock& clock) : clock_(clock) {
    endpoint_ = *Endpoint::Create(EndpointOptions(), {.dialect = &json_,
                                                      .variant = variants_.Add(&json_),
                                                      .policy = &policy_,
                                                      .verifier = verifier_.get()});
    acceptor_ = *EndpointAcceptor::Create({endpoint_.get()}, {&context_}, gate_);
    auto slot = std::make_shared<SlotEntry>();
    slot->number = 0;
    slot->source = "prices/0@0";
    slot->feeds.push_back({*ChannelPattern::Parse("prices:*"), false});
    auto table = std::make_shared<SlotTable>();
    table->slots = {slot};
    table->complete = true;
    hub_.OnSlots(table, clock_.Now());
  }

  // A command that subscribes to channel prices:N, framed.
  static std::string SubscribeTo(int n) {
    return Masked(absl::StrCat(R"({"type":"subscribe","channels":["prices:)", n, R"("]})"));
  }
  // Whoever subscribed to it goes live.
  void Cover(int n) { hub_.OnInterest(absl::StrCat("prices:", n), 0, -1, clock_.Now()); }

  // The upgrade request of a client of that name, with a token.
  static http::Request RequestOf(const std::string& user) {
    http::Request request;
    request.method = "GET";
    request.path = "/ws";
    request.remote_ip = "198.51.100.77";
    request.headers = {{"host", "localhost"},
                       {"upgrade", "websocket"},
                       {"connection", "Upgrade"},
                       {"sec-websocket-version", "13"},
                       {"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="}};
    request.query.emplace_back("token", TokenOf(user));
    return request;
  }
  static std::string TokenOf(const std::string& user) {
    return *auth::SignHs256(kSecret, absl::StrCat(R"({"sub":")", user, R"(","exp":1900000000,)",
                                                  R"("iss":"auth.example","aud":["edge"]})"));
  }

  // Lets the client in and runs a turn; what it sends is its first message. Null: refused.
  ws::Connection* Connect(const http::Request& request, std::unique_ptr<ws::ByteStream> stream,
                          std::string first_frame) {
    set_.BeginTurn();
    UpgradeDecision decision = acceptor_->OnUpgrade(request, 0);
    if (!decision.refusal) {
      set_.Add(std::move(stream), std::move(decision.handler), std::nullopt, first_frame.data(),
               first_frame.size());
    }
    set_.EndTurn();
    return decision.refusal ? nullptr : loop_.last;
  }
  void Abort(ws::Connection* connection) {
    set_.BeginTurn();
    connection->Abort(kCloseGoingAway);
    set_.EndTurn();
  }

  // A client's text frame; the mask is zero.
  static std::string Masked(const std::string& text) {
    return absl::StrCat(std::string{'\x81', static_cast<char>(0x80 | text.size())},
                        std::string(4, '\0'), text);
  }

  EndpointAcceptor& acceptor() { return *acceptor_; }
  const auth::JwtVerifier& verifier() const { return *verifier_; }
  HubShard& hub() { return hub_; }
  SessionRegistry& registry() { return registry_; }
  ws::WorkerCounters& socket_counters() { return socket_counters_; }

 private:
  class Loop final : public ws::EventLoop {
   public:
    bool Watch(int, ws::Connection* connection) override {
      last = connection;
      return true;
    }
    void WatchWrites(int, ws::Connection*, bool) override {}
    void Unwatch(int) override {}
    void RequestTurn() override {}

    ws::Connection* last = nullptr;
  };

  Clock& clock_;
  TimingWheel wheel_{clock_, std::chrono::milliseconds(100)};
  JsonEncoder json_{*JsonEnvelope::Compile({}), JsonCommandLimits()};
  VariantTable variants_;
  NoUpstream upstream_;
  HubShard hub_{{}, variants_, upstream_};
  SessionRegistry registry_;
  SessionCounters counters_;
  ConnectionGate gate_{1'000'000};
  Loop loop_;
  ws::WorkerCounters socket_counters_;
  uint64_t next_random_ = 0;
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
                                for (size_t i = 0; i < size; ++i) {
                                  bytes[i] = static_cast<uint8_t>(next_random_ >> (8 * (i % 8)));
                                }
                              },
                          .keep = [this](Ref<Frame> frame) { set_.Keep(std::move(frame)); }};
  ChannelPolicy policy_ = *ChannelPolicy::Compile({});
  std::unique_ptr<auth::JwtVerifier> verifier_ =
      *auth::JwtVerifier::Create({.secrets = {kSecret}, .issuer = "", .audience = ""}, clock_);
  std::unique_ptr<Endpoint> endpoint_;
  std::unique_ptr<EndpointAcceptor> acceptor_;
  ws::ConnectionSet set_{loop_, wheel_, socket_counters_, ws::ConnectionOptions()};
};

}  // namespace spillway::edge::test_support
