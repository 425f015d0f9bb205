#pragma once

#include <chrono>

#include "common/lifecycle/readiness.h"
#include "services/edge/upstream/link_runtime.h"

namespace spillway::edge {

// Tells the operators' readiness document what the link thread's status means: "kafka", "ingest",
// "attachments". Belongs to the thread that updates it; owned by EdgeApp.
class EdgeReadiness {
 public:
  // `readiness` outlives this. `grace`: how long a partition may be unattached.
  EdgeReadiness(lifecycle::Readiness& readiness, std::chrono::milliseconds grace);

  void Update(const LinkRuntimeStatus& status);

 private:
  void UpdateKafka(const UpstreamStatus& upstream);
  void UpdateIngest(const LinkRuntimeStatus& status);
  void UpdateAttachments(const UpstreamStatus& upstream);

  lifecycle::Readiness& readiness_;
  const std::chrono::milliseconds grace_;
  bool was_attached_ = false;  // all partitions at once, since the start
};

}  // namespace spillway::edge
