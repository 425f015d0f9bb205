#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "common/base/mutex.h"
#include "spillway/v1/link.grpc.pb.h"

namespace spillway::test {

// An ingest played over gRPC: one topic "prices" with one partition that feeds price:*, whose
// records are what the test publishes. Keeps them all, and serves any position.
class FakeIngest final : public v1::LinkService::Service {
 public:
  // Port 0 picks one.
  explicit FakeIngest(std::string node_id, int port = 0);
  ~FakeIngest() override;

  int port() const { return port_; }
  std::string address(const std::string& host = "127.0.0.1") const {
    return host + ":" + std::to_string(port_);
  }

  // Records published before any edge attached are there, too.
  void SetRecords(int64_t count) {
    MutexLock lock(mutex_);
    head_ = count - 1;
  }
  // The next record, an event of the channel; sent to every attached link.
  void Publish(const std::string& channel, const std::string& payload, const std::string& key = "");
  void SetKafkaUp(bool up) { kafka_up_ = up; }
  void SendRaw(const std::string& garbage);

  // What edges said.
  bool WaitForInterest(const std::string& channel);
  bool WaitForAttach(size_t count);
  std::vector<v1::Attach> attaches();
  size_t interests();  // channels wanted
  int64_t credit();
  size_t links();

 private:
  using Stream = grpc::ServerReaderWriter<v1::LinkResponse, v1::LinkRequest>;
  struct Link {
    Stream* stream = nullptr;
    bool attached = false;
    uint64_t attach_id = 0;
    uint64_t sequence = 0;       // of interest
    uint64_t told_sequence = 0;  // in Attached or progress
  };

  grpc::Status Link(grpc::ServerContext* context, Stream* stream) override;
  void Greet(Stream* stream) SPILLWAY_REQUIRES(mutex_);
  void OnRequest(struct Link& link, const v1::LinkRequest& request) SPILLWAY_REQUIRES(mutex_);
  void SendBatch(struct Link& link, const v1::Event* event) SPILLWAY_REQUIRES(mutex_);
  void Beat();
  template <typename Condition>
  bool Wait(Condition condition);

  const std::string node_id_;
  std::atomic<bool> kafka_up_{true};
  std::atomic<bool> stopping_{false};
  Mutex mutex_;
  CondVar changed_;
  std::set<struct Link*> links_ SPILLWAY_GUARDED_BY(mutex_);
  int64_t head_ SPILLWAY_GUARDED_BY(mutex_) = -1;
  std::set<std::string> interest_ SPILLWAY_GUARDED_BY(mutex_);
  std::vector<v1::Attach> attaches_ SPILLWAY_GUARDED_BY(mutex_);
  int64_t credit_ SPILLWAY_GUARDED_BY(mutex_) = 0;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  std::thread beats_;
};

}  // namespace spillway::test
