#include "services/edge/control/ingest_output.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "common/rpc/status.h"
#include "spillway/v1/audit.pb.h"

namespace spillway::edge {
namespace {

constexpr char kWrite[] = "/spillway.v1.AuditService/Write";

}  // namespace

struct IngestOutput::Call {
  v1::WriteAuditRequest request;
  v1::WriteAuditResponse response;
  std::optional<grpc::Status> status;  // under the state's lock
};

absl::Status IngestOutput::Ask(const std::string& address, const std::vector<std::string>& lines) {
  const auto call = std::make_shared<Call>();
  call->request.set_node_id(options_.node_id);
  call->request.mutable_lines()->Assign(lines.begin(), lines.end());
  calls_.Call(address, kWrite, call->request, &call->response, options_.timeout,
              [state = state_, call](const grpc::Status& status) {
                MutexLock lock(state->mutex);
                call->status = status;
                state->changed.NotifyAll();
              });
  MutexLock lock(state_->mutex);
  while (!call->status.has_value() && !state_->cancelled) state_->changed.Wait(state_->mutex);
  if (!call->status.has_value()) return absl::CancelledError("stopping");
  return rpc::FromGrpcStatus(*call->status);
}

absl::Status IngestOutput::Write(const std::vector<std::string>& lines) {
  std::vector<std::string> linked = ingests_();
  if (!linked.empty()) {
    const std::string first = known_.empty() ? std::string() : known_.front();
    std::stable_partition(linked.begin(), linked.end(),
                          [&](const std::string& address) { return address == first; });
    known_ = std::move(linked);
  }
  absl::Status last = absl::UnavailableError("no ingest is linked");
  for (size_t i = 0; i < known_.size(); ++i) {
    const absl::Status status = Ask(known_.front(), lines);
    if (status.ok() || absl::IsCancelled(status)) return status;
    last = absl::Status(status.code(), absl::StrCat(known_.front(), ": ", status.message()));
    std::rotate(known_.begin(), known_.begin() + 1, known_.end());
  }
  return last;
}

void IngestOutput::Cancel() {
  MutexLock lock(state_->mutex);
  state_->cancelled = true;
  state_->changed.NotifyAll();
}

}  // namespace spillway::edge
