#include "services/edge/control/control_state.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "services/edge/control/control_entries.h"
#include "tests/unit/services/edge/session/session_fixture.h"

namespace spillway::edge {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// One worker whose tasks run when the test says so.
class ControlStateTest : public SessionTest, public AdminWorkers {
 protected:
  ControlStateTest() : blocks_({}, clock_), ips_({}, clock_) { context_.blocks = &blocks_; }

  size_t count() const override { return 1; }
  void Post(size_t, Task task) override { tasks_.push_back(std::move(task)); }
  size_t Run() {
    size_t count = 0;
    for (; !tasks_.empty(); ++count) {
      Task task = std::move(tasks_.front());
      tasks_.pop_front();
      task(registry_, hub_);
    }
    return count;
  }
  std::unique_ptr<ControlState> Make(milliseconds wait = seconds(10)) {
    return std::make_unique<ControlState>(ControlState::Options{.wait = wait}, clock_, blocks_,
                                          ips_, *this, [this](bool hold) { held_ = hold; });
  }
  v1::ControlEntry Block(const std::string& user) {
    v1::BlockUserRequest request;
    request.set_user_id(user);
    return *ControlEntries({.node_id = "edge-1"}, blocks_, clock_).Of(request);
  }
  v1::Control Whole(const std::vector<std::string>& users) {
    v1::Control control;
    for (const std::string& user : users) *control.add_entries() = Block(user);
    control.set_complete(true);
    return control;
  }
  using Phase = ControlState::Phase;

  Blocks blocks_;
  IpLimits ips_;
  std::deque<Task> tasks_;
  bool held_ = false;
};

TEST_F(ControlStateTest, NobodyIsLetInUntilItIsKnown) {
  const auto state = Make();
  EXPECT_TRUE(held_);
  state->OnIngest("i1", /*has_topic=*/true);
  state->Update();
  EXPECT_TRUE(held_);
  v1::Control problem;
  problem.set_problem("topic_denied");
  state->OnControl("i1", problem);
  EXPECT_TRUE(held_);
  EXPECT_EQ(state->status().problem, "i1: topic_denied");
  state->OnControl("i1", Whole({"u1"}));
  EXPECT_FALSE(held_);
  EXPECT_EQ(state->status().phase, Phase::kKnown);
  EXPECT_EQ(blocks_.size(), 1u) << "in force before anybody is let in";
  state->OnIngestGone("i1");
  EXPECT_FALSE(held_) << "what is known stays in force";
  EXPECT_TRUE(state->Writers().empty());
}

TEST_F(ControlStateTest, WithoutATopicNobodyWaits) {
  const auto state = Make();
  state->OnIngest("i1", /*has_topic=*/false);
  EXPECT_FALSE(held_);
  EXPECT_EQ(state->status().phase, Phase::kNone);
  EXPECT_FALSE(state->status().durable);
}

TEST_F(ControlStateTest, WhoHasATopicIsWaitedForThoughAnotherHasNone) {
  const auto state = Make();
  state->OnIngest("i1", /*has_topic=*/true);
  state->OnIngest("i2", /*has_topic=*/false);
  EXPECT_TRUE(held_);
  EXPECT_EQ(state->Writers(), std::vector<std::string>{"i1"});
}

TEST_F(ControlStateTest, TheWaitIsBounded) {
  const auto state = Make(seconds(10));
  clock_.Advance(milliseconds(9'999));
  state->Update();
  EXPECT_TRUE(held_);
  clock_.Advance(milliseconds(1));
  state->Update();
  EXPECT_FALSE(held_);
  EXPECT_EQ(state->status().phase, Phase::kGivenUp);
  state->OnControl("i1", Whole({"u1"}));
  EXPECT_EQ(state->status().phase, Phase::kKnown);
}

TEST_F(ControlStateTest, NotWaitingIsASetting) {
  const auto state = Make(milliseconds(0));
  EXPECT_FALSE(held_);
  EXPECT_EQ(state->status().phase, Phase::kGivenUp);
}

TEST_F(ControlStateTest, EndsThoseWhoAreThere) {
  Build(Open());
  const auto state = Make();
  Client client = Connect(RequestOf({}, "/ws", "10.0.0.1"));
  client.Take();
  v1::BlockIpRequest request;
  request.set_ip("10.0.0.0/8");
  const auto entry = ControlEntries({.node_id = "edge-1"}, blocks_, clock_).Of(request);
  ASSERT_TRUE(entry.ok()) << entry.status();
  v1::Control control;
  *control.add_entries() = *entry;
  state->OnControl("i1", control);
  EXPECT_FALSE(client.transport->closed) << "on the worker's thread only";
  Run();
  EXPECT_TRUE(client.transport->closed);
  EXPECT_EQ(client.transport->close_code, 4010);
  state->OnControl("i1", control);
  EXPECT_EQ(Run(), 0u) << "what is known already has nobody looked at";
}

TEST_F(ControlStateTest, ManyAreEndedInTurns) {
  Build(Open());
  const auto state = Make();
  std::vector<Client> clients;
  context_.random = [next = uint16_t{0}](uint8_t* bytes, size_t size) mutable {
    std::fill_n(bytes, size, uint8_t{0});
    std::memcpy(bytes, &++next, sizeof next);
  };
  for (int i = 0; i < 600; ++i) {  // more than the fixture's gate lets in
    SessionIdentity identity;
    identity.ip = "10.0.0.1";
    Client& client = clients.emplace_back();
    client.session = std::make_unique<Session>(context_, *endpoints_.back(), std::move(identity),
                                               ConnectionPlace());
    client.session->OnOpen(client.transport.get());
  }
  v1::BlockIpRequest request;
  request.set_ip("10.0.0.1");
  state->Merge(*ControlEntries({.node_id = "edge-1"}, blocks_, clock_).Of(request));
  state->Enforce();
  state->Enforce();  // asked for again before it began: once
  size_t most = 0;
  size_t closed = 0;
  while (!tasks_.empty()) {
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    task(registry_, hub_);
    const size_t before = closed;
    closed = 0;
    for (const Client& client : clients) closed += client.transport->closed ? 1 : 0;
    most = std::max(most, closed - before);
  }
  EXPECT_EQ(closed, 600u);
  EXPECT_EQ(most, 256u);
}

TEST_F(ControlStateTest, WhatCannotBeUnderstoodIsPassedOver) {
  const auto state = Make();
  v1::Control control = Whole({"u1"});
  v1::ControlEntry* bad = control.add_entries();
  bad->set_kind(static_cast<v1::ControlKind>(99));
  state->OnControl("i1", control);
  EXPECT_EQ(blocks_.size(), 1u);
  EXPECT_EQ(state->status().phase, Phase::kKnown);
}

}  // namespace
}  // namespace spillway::edge
