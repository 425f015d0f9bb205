#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "services/edge/ws/connection_set.h"
#include "tests/support/fake_clock.h"
#include "tests/unit/services/edge/ws/backlog_fixture.h"
#include "tests/unit/services/edge/ws/client_frames.h"
#include "tests/unit/services/edge/ws/fake_stream.h"

namespace spillway::edge::ws {

using Log = std::vector<std::string>;

struct Script {
  Log log;
  Transport* transport = nullptr;
  std::function<void(std::string_view)> on_message = [](std::string_view) {};
  std::function<void()> on_writable = [] {};
  bool answers_pings = true;
  bool destroyed = false;
};

class Handler final : public TransportHandler {
 public:
  explicit Handler(Script& script) : script_(script) {}
  ~Handler() override { script_.destroyed = true; }
  void OnOpen(Transport* transport) override {
    script_.transport = transport;
    script_.log.push_back("open");
  }
  void OnMessage(std::string_view payload, bool text) override {
    script_.log.push_back((text ? "text:" : "binary:") + std::string(payload));
    script_.on_message(payload);
  }
  void OnPong() override { script_.log.push_back("pong"); }
  bool OnPing() override { return script_.answers_pings; }
  void OnWritable() override {
    script_.log.push_back("writable");
    script_.on_writable();
  }
  Ref<Frame> EncodeGap(const ChannelTraits& channel, const LostEvents& lost) override {
    return Frame::Make(Opcode::kText, GapText(channel.name, lost));
  }
  void OnClosed(uint16_t code, std::string_view reason) override {
    script_.log.push_back("closed:" + std::to_string(code) + ":" + std::string(reason));
  }

 private:
  Script& script_;
};

class ConnectionTest : public testing::Test {
 protected:
  ConnectionTest() {
    options_.backlog.bytes = 1000;
    options_.backlog.messages = 100;
    options_.close_timeout = std::chrono::milliseconds(1000);
    Rebuild();
  }

  // With the options as they are.
  void Rebuild() { set_ = std::make_unique<ConnectionSet>(loop_, wheel_, counters_, options_); }
  void Open(std::string leftover = "", std::string_view answer = {}) {
    Turn([&] {
      set_->Add(std::make_unique<FakeStream>(peer_), std::make_unique<Handler>(script_),
                std::nullopt, leftover.data(), leftover.size(), answer);
    });
  }
  void Turn(const std::function<void()>& fn) {
    loop_.turn_requested = false;
    set_->BeginTurn();
    fn();
    set_->EndTurn();
  }
  // Lets the turns happen that were asked for.
  void Settle() {
    while (loop_.turn_requested) Turn([] {});
  }
  void Receive(const std::string& bytes) {
    peer_.to_read += bytes;
    char buffer[4096];
    Turn([&] {
      if (loop_.watched != nullptr) loop_.watched->HandleReadable(buffer, sizeof buffer);
    });
  }
  void Writable(size_t room) {
    peer_.room = room;
    Turn([&] {
      if (loop_.watched != nullptr) loop_.watched->HandleWritable();
    });
  }
  void Send(std::string_view payload) {
    Ref<Frame> frame = Frame::Make(Opcode::kText, payload);
    script_.transport->Send(*frame, nullptr);
    set_->Keep(std::move(frame));
  }
  void Pass(std::chrono::milliseconds time) {
    clock_.Advance(time);
    Turn([&] { wheel_.Advance(); });
  }
  static std::string Text(std::string_view payload) {
    return std::string(Frame::Make(Opcode::kText, payload)->bytes());
  }
  static std::string CloseFrame(uint16_t code, std::string_view reason = "") {
    return std::string(Frame::Make(Opcode::kClose, ClosePayload(code, reason))->bytes());
  }

  test::FakeClock clock_;
  TimingWheel wheel_{clock_, std::chrono::milliseconds(100)};
  FakeLoop loop_;
  WorkerCounters counters_;
  ConnectionOptions options_;
  FakePeer peer_;
  Script script_;
  std::unique_ptr<ConnectionSet> set_;
};

}  // namespace spillway::edge::ws
