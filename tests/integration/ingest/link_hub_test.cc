// The hub and its sessions over real gRPC, with shards that the test plays: what happens between
// two steps of the hub happens when it posts to them.

#include "services/ingest/link/link_hub.h"

#include <gtest/gtest.h>

#include "common/rpc/server.h"
#include "services/ingest/link/link_service.h"
#include "tests/integration/ingest/link_peer.h"

namespace spillway::ingest {
namespace {

class PlayedShards final : public ShardSet {
 public:
  size_t size() const override { return 1; }
  size_t ShardOf(SlotId) const override { return 0; }
  void Post(size_t, std::function<void(ShardCore&, MonoTime)>) override {
    if (on_post) std::exchange(on_post, nullptr)();
  }
  std::function<void()> on_post;
};

v1::Catalogue Catalogue(const std::string& topic) {
  v1::Catalogue catalogue;
  catalogue.set_complete(true);
  catalogue.add_topics()->set_topic(topic);
  return catalogue;
}

class LinkHubTest : public testing::Test {
 protected:
  void Start(LinkHub::Options options,
             std::chrono::milliseconds beat_interval = std::chrono::milliseconds(10)) {
    options.hello.set_node_id("ingest");
    options.beat_interval = beat_interval;
    hub_ = std::make_unique<LinkHub>(options, Clock::Real());
    hub_->SetShards(&shards_);
    service_ = std::make_unique<LinkService>(*hub_);
    rpc::ServerOptions serving;
    serving.services = {service_.get()};
    server_ = *rpc::Server::Start(serving);
    hub_->StartBeats();
    address_ = "127.0.0.1:" + std::to_string(server_->port());
  }
  ~LinkHubTest() override {
    if (hub_ == nullptr) return;
    hub_->Stop();
    server_->Shutdown(std::chrono::milliseconds(0));
  }

  PlayedShards shards_;
  std::unique_ptr<LinkHub> hub_;
  std::unique_ptr<LinkService> service_;
  std::unique_ptr<rpc::Server> server_;
  std::string address_;
};

// An edge drops what comes before the greeting: a catalogue that came then and was followed by the
// older one would be missing for ever.
TEST_F(LinkHubTest, ACatalogueThatChangesDuringTheGreetingIsTold) {
  Start({});
  hub_->SetCatalogue(Catalogue("old"));
  shards_.on_post = [&] { hub_->SetCatalogue(Catalogue("new")); };
  LinkPeer peer(address_);
  bool greeted = false;
  ASSERT_TRUE(peer.ReadUntil([&](const v1::LinkResponse& response) {
    EXPECT_TRUE(greeted || response.has_hello()) << response.ShortDebugString();
    greeted = greeted || response.has_hello();
    return response.has_catalogue();
  }));
  EXPECT_EQ(peer.catalogue.topics(0).topic(), "new");
}

// The link of before of an edge that has come back may have yet to end, and says of it what was.
TEST_F(LinkHubTest, ANodeIsOnceInTheMembershipAsItsNewestLinkSays) {
  Start({});
  const auto has_membership = [](const v1::LinkResponse& r) { return r.has_membership(); };
  LinkPeer before(address_);
  ASSERT_TRUE(before.ReadUntil(has_membership));
  v1::LinkRequest drains;
  drains.mutable_state()->set_draining(true);
  before.Send(drains);
  ASSERT_TRUE(before.ReadUntil([](const v1::LinkResponse& r) {
    return r.has_membership() && r.membership().nodes(1).draining();
  }));
  LinkPeer after(address_);
  ASSERT_TRUE(after.ReadUntil([&](const v1::LinkResponse& response) {
    if (!response.has_membership()) return false;
    EXPECT_EQ(response.membership().nodes_size(), 2) << "the ingest and the edge";
    EXPECT_FALSE(response.membership().nodes(1).draining());
    return true;
  }));
}

// It is known once that port is open, which may be after an edge has linked.
TEST_F(LinkHubTest, TellsWhereOperatorsReachIt) {
  Start({});
  const auto tells = [](std::string_view address) {
    return [address](const v1::LinkResponse& response) {
      return response.has_membership() &&
             response.membership().nodes(0).addresses().ops_address() == address;
    };
  };
  LinkPeer early(address_);
  ASSERT_TRUE(early.ReadUntil(tells("")));
  hub_->SetOpsAddress("ingest-1:7401");
  EXPECT_TRUE(early.ReadUntil(tells("ingest-1:7401")));
  LinkPeer late(address_);
  EXPECT_TRUE(late.ReadUntil(tells("ingest-1:7401")));
}

TEST_F(LinkHubTest, EndsACallThatNeverSaysHello) {
  LinkHub::Options options;
  options.hello_timeout = std::chrono::seconds(3);  // which the second has, too
  Start(options);
  LinkPeer silent(address_, LinkPeer::Silent());
  EXPECT_EQ(silent.Status().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  LinkPeer peer(address_);
  EXPECT_TRUE(peer.ReadUntil([](const v1::LinkResponse& r) { return r.has_hello(); }));
}

TEST_F(LinkHubTest, BoundsTheCallsThatHaveNotSaidHello) {
  LinkHub::Options options;
  options.max_links = 2;
  Start(options);
  LinkPeer first(address_, LinkPeer::Silent());
  LinkPeer second(address_, LinkPeer::Silent());
  // The order in which calls reach the server is not that in which they were made.
  LinkPeer third(address_, LinkPeer::Silent());
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (hub_->counters().refused == 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_EQ(hub_->counters().refused, 1u);
}

TEST_F(LinkHubTest, EndsAndCountsALinkWhoseAnswersPassTheirBound) {
  LinkHub::Options options;
  options.session.answer_bytes = 1;
  Start(options);
  LinkPeer peer(address_);
  ASSERT_TRUE(peer.ReadUntil([](const v1::LinkResponse& r) { return r.has_hello(); }));
  v1::LinkResponse answer;
  answer.mutable_attached()->set_slot(1);
  for (LinkId link = 0; link < 3; ++link) {  // whichever the peer's is
    hub_->SendAnswer(link, answer);
    hub_->SendAnswer(link, answer);
  }
  EXPECT_EQ(hub_->counters().answers_overflowed, 1u);
  EXPECT_EQ(hub_->counters().cut, 0u);
  EXPECT_FALSE(peer.Status().ok());  // as it is told, or cancelled where a write was under way
}

// What comes faster than Limits.interval is held back, leaves together when its time has come, and
// stays in order.
TEST_F(LinkHubTest, SendsWhatTheIntervalHeldBack) {
  constexpr int kEvents = 200;
  LinkHub::Options options;
  options.session.interval = std::chrono::milliseconds(20);
  Start(options, /*beat_interval=*/std::chrono::hours(1));  // a beat would take it along
  LinkPeer peer(address_);
  ASSERT_TRUE(peer.ReadUntil([](const v1::LinkResponse& r) { return r.has_hello(); }));
  peer.Want(1, {"prices"}, /*full=*/true);
  v1::Event event;
  event.add_channels("prices");
  const auto publish = [&](int number) {
    event.set_key(std::to_string(number));
    return hub_->PublishEphemeral(event);
  };
  while (publish(0) == 0) std::this_thread::yield();  // until the interest has come
  for (int i = 1; i < kEvents; ++i) ASSERT_EQ(publish(i), 1u);
  int messages = 0;
  int next = 0;
  ASSERT_TRUE(peer.ReadUntil([&](const v1::LinkResponse& response) {
    messages += response.has_ephemeral() ? 1 : 0;
    for (const v1::Event& got : response.ephemeral().events()) {
      EXPECT_EQ(got.key(), std::to_string(next++));
    }
    return next == kEvents;
  }));
  EXPECT_LT(messages, kEvents / 2);
}

// Other edges send it no clients then.
TEST_F(LinkHubTest, TellsAllWhichEdgeLetsItsClientsGo) {
  Start({});
  const auto draining = [](const v1::LinkResponse& response) {
    for (const v1::Node& node : response.membership().nodes()) {
      if (node.kind() == v1::NODE_KIND_EDGE && node.draining()) return true;
    }
    return false;
  };
  LinkPeer watching(address_);
  // They have one name: the newer one counts.
  ASSERT_TRUE(watching.ReadUntil(
      [](const v1::LinkResponse& response) { return response.has_membership(); }));
  LinkPeer peer(address_);
  v1::LinkRequest request;
  request.mutable_state()->set_draining(true);
  peer.Send(request);
  EXPECT_TRUE(watching.ReadUntil(draining));
  request.mutable_state()->set_draining(false);
  peer.Send(request);
  EXPECT_TRUE(watching.ReadUntil([&](const v1::LinkResponse& response) {
    return response.has_membership() && !draining(response);
  }));

  // One that links anew, to an ingest that was started again, has said so from the beginning.
  LinkPeer late(address_, LinkPeer::Silent());
  request.Clear();
  request.mutable_hello()->set_node_id("late");
  request.mutable_hello()->set_protocol(1);
  request.mutable_hello()->mutable_state()->set_draining(true);
  late.Send(request);
  int told = 0;
  EXPECT_TRUE(watching.ReadUntil([&](const v1::LinkResponse& response) {
    for (const v1::Node& node : response.membership().nodes()) {
      if (node.node_id() != "late") continue;
      ++told;
      return node.draining();
    }
    return false;
  }));
  EXPECT_EQ(told, 1) << "never as one that takes clients";
}

}  // namespace
}  // namespace spillway::ingest
