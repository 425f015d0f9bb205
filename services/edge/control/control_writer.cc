#include "services/edge/control/control_writer.h"

#include <algorithm>
#include <utility>

#include "spillway/v1/control_service.pb.h"

namespace spillway::edge {
namespace {

constexpr char kWrite[] = "/spillway.v1.ControlService/Write";

// Another ingest would say the same.
bool IsFinal(grpc::StatusCode code) {
  return code == grpc::StatusCode::INVALID_ARGUMENT || code == grpc::StatusCode::RESOURCE_EXHAUSTED;
}

// An ingest begins its message with a code; what comes from gRPC itself has none.
ControlWriter::Result ResultOf(const grpc::Status& status) {
  const std::string& text = status.error_message();
  const size_t colon = text.find(": ");
  if (text.starts_with("control_") && colon != std::string::npos) {
    return {
        .durable = false, .error_code = text.substr(0, colon), .message = text.substr(colon + 2)};
  }
  const bool late = status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
  return {.durable = false,
          .error_code = late ? "control_timeout" : "control_unavailable",
          .message = text};
}

}  // namespace

struct ControlWriter::Attempt {
  v1::WriteControlRequest request;
  v1::WriteControlResponse response;
  std::vector<std::string> left;  // to be asked
  MonoTime deadline;
  Result last;
  Done done;
};

void ControlWriter::Write(const v1::ControlEntry& entry, Done done) {
  const auto attempt = std::make_shared<Attempt>();
  *attempt->request.mutable_entry() = entry;
  attempt->left = ingests_();
  std::reverse(attempt->left.begin(), attempt->left.end());
  attempt->deadline = clock_.Now() + options_.timeout;
  attempt->last = {.durable = false,
                   .error_code = "control_no_topic",
                   .message = "no linked ingest has a control topic (ingest.control.topic)"};
  attempt->done = std::move(done);
  Try(attempt);
}

void ControlWriter::Try(const std::shared_ptr<Attempt>& attempt) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(attempt->deadline - clock_.Now());
  if (attempt->left.empty() || left.count() <= 0) return attempt->done(std::move(attempt->last));
  const std::string address = std::move(attempt->left.back());
  attempt->left.pop_back();
  calls_.Call(address, kWrite, attempt->request, &attempt->response,
              std::min(left, options_.try_timeout), [this, attempt](const grpc::Status& status) {
                if (status.ok() && attempt->response.superseded()) {
                  return attempt->done({.durable = false,
                                        .error_code = "control_superseded",
                                        .message = "a later entry of this subject is in force: see "
                                                   "ListBlocks, then ask again"});
                }
                if (status.ok()) {
                  return attempt->done({.durable = true, .error_code = {}, .message = {}});
                }
                attempt->last = ResultOf(status);
                if (IsFinal(status.error_code())) return attempt->done(std::move(attempt->last));
                Try(attempt);
              });
}

}  // namespace spillway::edge
