#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/load/run_options.h"
#include "tools/load/sink.h"

namespace grpc {
class Channel;
}  // namespace grpc

namespace spillway::load {

// Publishes by one PublishStream of an ingest, durably or ephemerally as each stream wants it.
class GrpcSink final : public Sink {
 public:
  // `token`: bearer token; none if empty. Connects when the first publication leaves.
  static absl::StatusOr<std::unique_ptr<GrpcSink>> Create(
      const std::string& address, const std::string& token,
      const std::vector<StreamOptions>& streams);
  ~GrpcSink() override;

  bool Publish(const Publication& publication) override;
  void Finish(std::chrono::seconds timeout) override;

 private:
  struct Call;

  GrpcSink(const std::vector<StreamOptions>& streams, std::unique_ptr<Call> call);
  void ReadAnswers();

  const std::vector<StreamOptions> streams_;
  std::unique_ptr<Call> call_;
  std::thread reader_;
};

}  // namespace spillway::load
