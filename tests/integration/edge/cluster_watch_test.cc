// Watching other edges: real calls, to played nodes.

#include "services/edge/control/cluster_watch.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/mutex.h"
#include "common/rpc/client.h"
#include "spillway/v1/admin.grpc.pb.h"
#include "tests/support/lasting_port.h"

namespace spillway::edge {
namespace {

using std::chrono::milliseconds;

// A node whose watchers get what the test says.
class PlayedNode final : public v1::AdminService::Service {
 public:
  explicit PlayedNode(std::string id) : id_(std::move(id)) { Start(test::LastingPort()); }
  ~PlayedNode() override { Stop(); }

  void Start(int port) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:" + std::to_string(port), grpc::InsecureServerCredentials(),
                             &port_);
    builder.RegisterService(this);
    {
      MutexLock lock(mutex_);
      stopping_ = false;
    }
    server_ = builder.BuildAndStart();
  }
  void Stop() {
    {
      MutexLock lock(mutex_);
      stopping_ = true;
      changed_.NotifyAll();
    }
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
    server_.reset();
  }
  int port() const { return port_; }
  v1::Node node() const {
    v1::Node node;
    node.set_node_id(id_);
    node.set_kind(v1::NODE_KIND_EDGE);
    node.mutable_addresses()->set_grpc_address("127.0.0.1:" + std::to_string(port_));
    return node;
  }
  // What the next watcher gets, at once.
  void Say(int count) {
    MutexLock lock(mutex_);
    say_ = count;
    changed_.NotifyAll();
  }
  v1::WatchEventsRequest asked() {
    MutexLock lock(mutex_);
    return asked_;
  }

 private:
  grpc::Status WatchEvents(grpc::ServerContext* context, const v1::WatchEventsRequest* request,
                           grpc::ServerWriter<v1::NodeEvent>* writer) override {
    writer->SendInitialMetadata();
    MutexLock lock(mutex_);
    asked_ = *request;
    int said = 0;
    while (!stopping_ && !context->IsCancelled()) {
      for (; said < say_; ++said) {
        v1::NodeEvent event;
        event.set_node_id(id_);
        event.set_kind("n" + std::to_string(said));
        writer->Write(event);
      }
      changed_.WaitFor(mutex_, milliseconds(10));
    }
    return grpc::Status::OK;
  }

  const std::string id_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  Mutex mutex_;
  CondVar changed_;
  int say_ SPILLWAY_GUARDED_BY(mutex_) = 0;
  bool stopping_ SPILLWAY_GUARDED_BY(mutex_) = false;
  v1::WatchEventsRequest asked_ SPILLWAY_GUARDED_BY(mutex_);
};

class ClusterWatchTest : public testing::Test {
 protected:
  void Begin(ClusterWatches::Options options = {}) {
    options.retry = milliseconds(20);
    watches_ = std::make_unique<ClusterWatches>(options, cluster_, Clock::Real());
  }
  void Tell(const std::vector<const PlayedNode*>& nodes) {
    v1::Membership membership;
    for (const PlayedNode* node : nodes) *membership.add_nodes() = node->node();
    members_.OnMembership("ingest-1", membership);
  }
  std::unique_ptr<ClusterWatches::Feed> Open(const v1::WatchEventsRequest& request = {}) {
    return watches_->Open(request, [this] {
      MutexLock lock(mutex_);
      ++woken_;
      changed_.NotifyAll();
    });
  }
  // "node kind outcome" of the next event.
  std::string Next(ClusterWatches::Feed& feed) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    v1::NodeEvent event;
    while (!feed.Next(&event)) {
      if (std::chrono::steady_clock::now() > deadline) return "nothing came";
      watches_->Update();
      MutexLock lock(mutex_);
      changed_.WaitFor(mutex_, milliseconds(5));
    }
    dropped_ = event.dropped();
    return event.node_id() + " " + event.kind() +
           (event.outcome().empty() ? "" : " " + event.outcome());
  }

  Members members_{{.node_id = "a"}, Clock::Real()};
  NodeCalls calls_{{}, [](const std::string& address) {
                     return rpc::CreateChannel(address, rpc::ChannelOptions());
                   }};
  const Cluster cluster_{.node_id = "a", .members = &members_, .calls = &calls_};
  std::unique_ptr<ClusterWatches> watches_;
  Mutex mutex_;
  CondVar changed_;
  int woken_ SPILLWAY_GUARDED_BY(mutex_) = 0;
  uint64_t dropped_ = 0;
};

TEST_F(ClusterWatchTest, HearsWhatHappensOnOthersAndThatOneIsLost) {
  Begin();
  PlayedNode b("b");
  b.Say(2);
  Tell({&b});
  v1::WatchEventsRequest request;
  request.set_user_id("u1");
  const auto feed = Open(request);
  EXPECT_EQ(Next(*feed), "b node_watched ok");
  EXPECT_EQ(Next(*feed), "b n0");
  EXPECT_EQ(Next(*feed), "b n1");
  EXPECT_EQ(b.asked().user_id(), "u1");
  EXPECT_EQ(b.asked().scope(), v1::SCOPE_NODE) << "or it would ask on";
  const int port = b.port();
  b.Stop();
  EXPECT_EQ(Next(*feed).substr(0, 11), "b node_lost");
  b.Start(port);
  EXPECT_EQ(Next(*feed), "b node_watched ok") << "once, however often it was tried";
  feed->Close();
}

TEST_F(ClusterWatchTest, OneThatComesLaterIsHeardToo) {
  Begin();
  const auto feed = Open();
  PlayedNode b("b");
  Tell({&b});
  EXPECT_EQ(Next(*feed), "b node_watched ok");
  PlayedNode c("c");
  Tell({&b, &c});
  EXPECT_EQ(Next(*feed), "c node_watched ok");
  feed->Close();
}

TEST_F(ClusterWatchTest, OneThatCannotBeCalledIsNamed) {
  Begin();
  v1::Membership membership;
  membership.add_nodes()->set_node_id("mute");
  membership.mutable_nodes(0)->set_kind(v1::NODE_KIND_EDGE);
  members_.OnMembership("ingest-1", membership);
  const auto feed = Open();
  EXPECT_EQ(Next(*feed), "mute node_lost node_without_call");
  feed->Close();
}

TEST_F(ClusterWatchTest, WhoIsTooSlowIsToldHowMuchHeMissed) {
  Begin({.max_queued = 3});
  PlayedNode b("b");
  b.Say(10);
  Tell({&b});
  const auto feed = Open();
  while (watches_->dropped() < 8) usleep(1'000);  // node_watched, n0 and n1 wait
  EXPECT_EQ(Next(*feed), "b node_watched ok");
  EXPECT_EQ(Next(*feed), "b n0");
  EXPECT_EQ(Next(*feed), "b n1");
  b.Say(11);
  EXPECT_EQ(Next(*feed), "b n10");
  EXPECT_EQ(dropped_, 8u);
  feed->Close();
}

TEST_F(ClusterWatchTest, ThereAreOnlySoMany) {
  Begin({.max_feeds = 1});
  const auto feed = Open();
  EXPECT_NE(feed, nullptr);
  EXPECT_EQ(Open(), nullptr);
  feed->Close();
  const auto next = Open();
  EXPECT_NE(next, nullptr);
  next->Close();
}

TEST_F(ClusterWatchTest, StopsWhileItListens) {
  Begin();
  PlayedNode b("b");
  Tell({&b});
  const auto feed = Open();
  EXPECT_EQ(Next(*feed), "b node_watched ok");
  watches_->Stop();
  EXPECT_EQ(Open(), nullptr);
  feed->Close();
}

TEST_F(ClusterWatchTest, AClosedFeedWakesNobody) {
  Begin();
  PlayedNode b("b");
  Tell({&b});
  const auto feed = Open();
  EXPECT_EQ(Next(*feed), "b node_watched ok");
  feed->Close();
  int before = 0;
  {
    MutexLock lock(mutex_);
    before = woken_;
  }
  b.Say(5);
  watches_->Stop();
  MutexLock lock(mutex_);
  EXPECT_EQ(woken_, before);
}

}  // namespace
}  // namespace spillway::edge
