#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/metrics/metrics.h"
#include "common/rpc/tls.h"
#include "services/edge/app/app_options.h"
#include "services/edge/app/edge_workers.h"
#include "services/edge/app/metric_families.h"
#include "services/edge/control/node_calls.h"
#include "services/edge/control/publish_client.h"
#include "services/edge/session/publish_desk.h"
#include "services/edge/upstream/link_runtime.h"

namespace spillway::edge {

// What clients publish, from the workers' desks to the ingests. For main's thread. Owned by
// EdgeApp: made before anybody is let in, stopped while the workers run and before the links are.
class EdgePublishing {
 public:
  // What it is given outlives it. `allowed`: whether any rule lets clients publish.
  EdgePublishing(const EdgeOptions& options, const Clock& clock, EdgeWorkers& workers,
                 LinkRuntime& upstream, bool allowed);
  ~EdgePublishing();  // Stop(0)

  // A few times a second.
  void Update();
  // Nothing is taken any more; what is under way has as long as `grace`, then its outcome is
  // unknown. Clients are told by the workers. Idempotent.
  void Stop(std::chrono::milliseconds grace);
  void AddMetrics(metrics::Registry& registry, const EdgeFamilies& families,
                  std::vector<metrics::Handle>* handles);

 private:
  // That are linked.
  std::vector<std::string> Linked() const;
  // To ask: those of them to which there is a channel already, which takes reading files; all of
  // them for as long as there is none, shortly after the first link. Any thread.
  std::vector<std::string> Ingests();

  const Clock& clock_;
  LinkRuntime& upstream_;
  const bool allowed_;
  const std::shared_ptr<const rpc::PresentedToken> token_;  // null: none
  rpc::TlsFilesWatch tls_;
  PublishBounds bounds_;
  NodeCalls calls_;
  PublishClient client_;
  std::vector<std::unique_ptr<PublishDesk>> desks_;
};

}  // namespace spillway::edge
