#include "services/ingest/control/audit_writer.h"

#include <optional>
#include <utility>

namespace spillway::ingest {

struct AuditWriter::Batch {
  Mutex mutex;
  size_t left SPILLWAY_GUARDED_BY(mutex) = 0;
  absl::Status status SPILLWAY_GUARDED_BY(mutex);
  Done done;
};

void AuditWriter::OnAnswer(const std::shared_ptr<Batch>& batch, const absl::Status& status) {
  (status.ok() ? counters_.written : counters_.failed).Add();
  if (absl::IsNotFound(status)) missing_();
  absl::Status outcome;
  {
    MutexLock lock(batch->mutex);
    if (batch->status.ok()) batch->status = status;
    if (--batch->left > 0) return;
    outcome = batch->status;
  }
  batch->done(outcome);
}

void AuditWriter::Write(const std::string& node_id, const std::vector<std::string>& lines,
                        Done done) {
  if (lines.empty()) return done(absl::OkStatus());
  const auto batch = std::make_shared<Batch>();
  {
    MutexLock lock(batch->mutex);
    batch->left = lines.size();
  }
  batch->done = std::move(done);
  absl::Status refused;
  for (const std::string& line : lines) {
    ProduceRequest request;
    request.topic = topic_;
    request.key = node_id;
    request.value = line;
    // Behind one that is refused none is written: they will all come again, in order.
    if (refused.ok()) {
      refused = produce_(request, [this, batch](const absl::StatusOr<ProducedAt>& at) {
        OnAnswer(batch, at.status());
      });
      if (refused.ok()) continue;
    }
    OnAnswer(batch, refused);
  }
}

absl::Status AuditTopicOutput::Write(const std::vector<std::string>& lines) {
  struct Answer {
    std::optional<absl::Status> status;
  };
  const auto answer = std::make_shared<Answer>();
  const auto state = state_;
  writer_.Write(node_id_, lines, [state, answer](const absl::Status& status) {
    MutexLock lock(state->mutex);
    answer->status = status;
    state->changed.NotifyAll();
  });
  MutexLock lock(state->mutex);
  while (!answer->status.has_value() && !state->cancelled) state->changed.Wait(state->mutex);
  return answer->status.has_value() ? *answer->status : absl::CancelledError("stopping");
}

void AuditTopicOutput::Cancel() {
  MutexLock lock(state_->mutex);
  state_->cancelled = true;
  state_->changed.NotifyAll();
}

}  // namespace spillway::ingest
