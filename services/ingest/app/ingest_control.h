#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "common/lifecycle/readiness.h"
#include "common/metrics/metrics.h"
#include "services/ingest/app/metric_families.h"
#include "services/ingest/control/control_service.h"
#include "services/ingest/control/control_store.h"
#include "services/ingest/kafka/compacted_topic.h"
#include "services/ingest/kafka/producer.h"
#include "services/ingest/link/link_hub.h"
#include "spillway/v1/config_ingest.pb.h"

namespace spillway::ingest {

// The control topic and all that goes with it, as far as one is configured: without, edges are
// told that there is none. For main's thread. Owned by the app: Stop() comes before the links, the
// server and the producer end, the destructor after them.
class IngestControl {
 public:
  explicit IngestControl(const v1::ControlTopicConfig& config);
  ~IngestControl();

  bool enabled() const { return !config_.topic().empty(); }
  // `producer` may be null only if it is not enabled. All outlive this.
  absl::Status Create(const KafkaSettings& kafka, const std::string& node_id, const Clock& clock,
                      Producer* producer, LinkHub& hub, lifecycle::Readiness& readiness);
  void Start();
  void Stop();

  // For the server; from Create() on.
  ControlService* service() { return service_.get(); }
  void AddMetrics(metrics::Registry& registry, const IngestFamilies& families,
                  std::vector<metrics::Handle>* handles);

 private:
  // Tells readiness what became of the topic.
  class Watched;

  const v1::ControlTopicConfig config_;
  std::unique_ptr<ControlStore> store_;
  std::unique_ptr<Watched> watched_;
  std::unique_ptr<ControlService> service_;
  std::unique_ptr<CompactedTopic> topic_;  // its thread uses them
};

}  // namespace spillway::ingest
