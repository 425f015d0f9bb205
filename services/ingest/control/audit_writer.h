#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/audit/output.h"
#include "common/base/mutex.h"
#include "common/metrics/metrics.h"
#include "services/ingest/kafka/producer.h"

namespace spillway::ingest {

// Writes lines of audit logs to the audit topic: those that edges send, and this ingest's own.
// Thread-safe. Owned by the app; outlives the producer's callbacks.
class AuditWriter {
 public:
  // Where records go: Producer::Produce.
  using Produce = std::function<absl::Status(const ProduceRequest&, Producer::Callback)>;
  using Done = std::function<void(const absl::Status&)>;
  struct Counters {
    metrics::AtomicCounter written;  // lines that Kafka has acknowledged
    metrics::AtomicCounter failed;
  };

  // `missing` is called when Kafka does not know the topic, on any thread.
  AuditWriter(std::string topic, Produce produce, std::function<void()> missing)
      : topic_(std::move(topic)), produce_(std::move(produce)), missing_(std::move(missing)) {}

  // Under one key, so in order. `done` is called once, when all are answered, now or on the
  // producer's thread: with the first that failed, what Producer says.
  void Write(const std::string& node_id, const std::vector<std::string>& lines, Done done);

  const std::string& topic() const { return topic_; }
  const Counters& counters() const { return counters_; }

 private:
  struct Batch;
  void OnAnswer(const std::shared_ptr<Batch>& batch, const absl::Status& status);

  const std::string topic_;
  const Produce produce_;
  const std::function<void()> missing_;
  Counters counters_;
};

// This ingest's own audit log to the audit topic.
class AuditTopicOutput final : public audit::Output {
 public:
  // `writer` outlives it.
  AuditTopicOutput(AuditWriter& writer, std::string node_id)
      : writer_(writer), node_id_(std::move(node_id)), state_(std::make_shared<State>()) {}

  absl::Status Write(const std::vector<std::string>& lines) override;
  void Cancel() override;

 private:
  // Shared with answers that come when nobody waits any more.
  struct State {
    Mutex mutex;
    CondVar changed;
    bool cancelled SPILLWAY_GUARDED_BY(mutex) = false;
  };

  AuditWriter& writer_;
  const std::string node_id_;
  const std::shared_ptr<State> state_;
};

}  // namespace spillway::ingest
