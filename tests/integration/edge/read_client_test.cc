// Reads beside a link, against a gRPC server of the test's.

#include "services/edge/upstream/read_client.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/base/mutex.h"

namespace spillway::edge {
namespace {

using testing::HasSubstr;

constexpr uint64_t kCall = 7;
constexpr LinkId kLink = 3;

// Answers with what it is told to, and keeps what it was asked.
class FakeReads final : public v1::ReadService::Service {
 public:
  struct Script {
    std::vector<v1::ReadResponse> answer = {};
    grpc::Status status = {};
    bool hold = false;  // goes on only when the call is cancelled
  };

  void Set(Script script) {
    MutexLock lock(mutex_);
    script_ = std::move(script);
  }
  v1::HistoryRequest history() {
    MutexLock lock(mutex_);
    return history_;
  }
  v1::SnapshotRequest snapshot() {
    MutexLock lock(mutex_);
    return snapshot_;
  }

 private:
  grpc::Status History(grpc::ServerContext* context, const v1::HistoryRequest* request,
                       grpc::ServerWriter<v1::ReadResponse>* writer) override {
    MutexLock lock(mutex_);
    history_ = *request;
    return Answer(context, writer);
  }
  grpc::Status Snapshot(grpc::ServerContext* context, const v1::SnapshotRequest* request,
                        grpc::ServerWriter<v1::ReadResponse>* writer) override {
    MutexLock lock(mutex_);
    snapshot_ = *request;
    return Answer(context, writer);
  }
  grpc::Status Answer(grpc::ServerContext* context, grpc::ServerWriter<v1::ReadResponse>* writer)
      SPILLWAY_REQUIRES(mutex_) {
    for (const v1::ReadResponse& response : script_.answer) writer->Write(response);
    while (script_.hold && !context->IsCancelled()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return script_.status;
  }

  Mutex mutex_;
  Script script_ SPILLWAY_GUARDED_BY(mutex_);
  v1::HistoryRequest history_ SPILLWAY_GUARDED_BY(mutex_);
  v1::SnapshotRequest snapshot_ SPILLWAY_GUARDED_BY(mutex_);
};

// Three pieces: two events, one event, the summary.
std::vector<v1::ReadResponse> Pieces() {
  std::vector<v1::ReadResponse> pieces(3);
  pieces[0].add_events()->set_offset(11);
  pieces[0].add_events()->set_offset(12);
  pieces[1].add_events()->set_offset(15);
  pieces[2].set_last(true);
  pieces[2].add_as_of()->set_offset(16);
  pieces[2].add_gaps()->set_from(13);
  return pieces;
}

class ReadClientTest : public testing::Test, public ReadClientEvents {
 protected:
  ReadClientTest() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&reads_);
    server_ = builder.BuildAndStart();
    channel_ = grpc::CreateChannel("127.0.0.1:" + std::to_string(port_),
                                   grpc::InsecureChannelCredentials());
    Make(std::chrono::seconds(20));
  }
  ~ReadClientTest() override {
    client_.reset();
    server_->Shutdown(std::chrono::system_clock::now());
  }

  void Make(std::chrono::milliseconds timeout) {
    client_ = std::make_unique<ReadClient>(kCall, kLink, channel_, timeout, "", *this);
  }
  void OnReadMessage(uint64_t call, std::unique_ptr<v1::ReadResponse> response) override {
    MutexLock lock(mutex_);
    EXPECT_EQ(call, kCall);
    EXPECT_FALSE(done_);
    responses_.push_back(*response);
    changed_.NotifyAll();
  }
  void OnReadDone(uint64_t call, std::string error) override {
    MutexLock lock(mutex_);
    EXPECT_EQ(call, kCall);
    EXPECT_FALSE(done_);
    done_ = true;
    error_ = std::move(error);
    changed_.NotifyAll();
  }
  void WaitForResponses(size_t count) {
    MutexLock lock(mutex_);
    while (responses_.size() < count && !done_) changed_.Wait(mutex_);
  }
  std::string WaitForDone() {
    MutexLock lock(mutex_);
    while (!done_) changed_.Wait(mutex_);
    return error_;
  }
  FakeReads reads_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<ReadClient> client_;
  Mutex mutex_;
  CondVar changed_;
  std::vector<v1::ReadResponse> responses_;
  bool done_ = false;
  std::string error_;
};

TEST_F(ReadClientTest, HistoryComesInPiecesAndThenItsEnd) {
  reads_.Set({.answer = Pieces()});
  v1::HistoryRequest request;
  request.set_channel("prices");
  request.set_node_id("ingest-1");
  v1::SlotOffset* after = request.add_after();
  after->set_slot(4);
  after->set_offset(10);
  v1::SlotOffset* not_before = request.add_not_before();
  not_before->set_slot(4);
  not_before->set_offset(16);
  client_->Start(request);
  EXPECT_EQ(client_->link(), kLink);
  EXPECT_EQ(WaitForDone(), "");
  ASSERT_EQ(responses_.size(), 3u);
  EXPECT_EQ(responses_[0].events(1).offset(), 12);
  EXPECT_EQ(responses_[1].events(0).offset(), 15);
  EXPECT_FALSE(responses_[1].last());
  EXPECT_TRUE(responses_[2].last());
  EXPECT_EQ(responses_[2].as_of(0).offset(), 16);
  EXPECT_EQ(responses_[2].gaps(0).from(), 13);
  EXPECT_EQ(reads_.history().SerializeAsString(), request.SerializeAsString());
  EXPECT_EQ(reads_.snapshot().channel(), "");
}

TEST_F(ReadClientTest, SnapshotLikewise) {
  reads_.Set({.answer = Pieces()});
  v1::SnapshotRequest request;
  request.set_channel("prices");
  client_->Start(request);
  EXPECT_EQ(WaitForDone(), "");
  EXPECT_EQ(responses_.size(), 3u);
  EXPECT_EQ(reads_.snapshot().channel(), "prices");
  EXPECT_EQ(reads_.history().channel(), "");
}

TEST_F(ReadClientTest, AnErrorEndsIt) {
  reads_.Set({.status = {grpc::StatusCode::RESOURCE_EXHAUSTED, "too many reads"}});
  client_->Start(v1::HistoryRequest());
  EXPECT_EQ(WaitForDone(), "too many reads (gRPC code 8)");
  EXPECT_TRUE(responses_.empty());
}

TEST_F(ReadClientTest, AnErrorInTheMidstComesAfterWhatWasThere) {
  reads_.Set({.answer = Pieces(), .status = {grpc::StatusCode::DATA_LOSS, "the log is gone"}});
  client_->Start(v1::HistoryRequest());
  EXPECT_EQ(WaitForDone(), "the log is gone (gRPC code 15)");
  EXPECT_EQ(responses_.size(), 3u);
}

TEST_F(ReadClientTest, CancelEndsIt) {
  reads_.Set({.answer = Pieces(), .hold = true});
  client_->Start(v1::HistoryRequest());
  WaitForResponses(3);
  client_->Cancel();
  EXPECT_THAT(WaitForDone(), HasSubstr("(gRPC code 1)"));
  client_->Cancel();  // again: nothing
}

TEST_F(ReadClientTest, ItEndsAfterItsTime) {
  reads_.Set({.hold = true});
  Make(std::chrono::milliseconds(50));
  client_->Start(v1::HistoryRequest());
  EXPECT_THAT(WaitForDone(), HasSubstr("(gRPC code 4)"));
}

TEST_F(ReadClientTest, AnIngestThatIsGoneEndsIt) {
  reads_.Set({.answer = Pieces(), .hold = true});
  client_->Start(v1::HistoryRequest());
  WaitForResponses(3);
  server_->Shutdown(std::chrono::system_clock::now());
  EXPECT_THAT(WaitForDone(), HasSubstr("(gRPC code "));
}

}  // namespace
}  // namespace spillway::edge
