#pragma once

#include <chrono>
#include <vector>

#include "common/audit/audit_log.h"
#include "common/lifecycle/readiness.h"
#include "services/edge/app/token_keys.h"
#include "services/edge/control/control_state.h"
#include "services/edge/upstream/link_runtime.h"

namespace spillway::edge {

// Tells the operators' readiness document what the link thread's status means: "kafka", "ingest",
// "attachments"; what the sources of tokens' keys say: "keys"; and whether it is known who is kept
// out: "control"; and whether the audit log can be written: "audit". Belongs to the thread that
// updates it; owned by EdgeApp.
class EdgeReadiness {
 public:
  // `readiness` outlives this. `grace`: how long a partition may be unattached.
  EdgeReadiness(lifecycle::Readiness& readiness, std::chrono::milliseconds grace);

  void Update(const LinkRuntimeStatus& status);
  // "keys", where there are such: not ready while a source has never given any.
  void UpdateKeys(const std::vector<TokenKeys::Source>& sources);
  // "control", where there is a control topic, or none has been told of yet.
  void UpdateControl(const ControlState::Status& status);
  // "audit", where the audit log goes anywhere.
  void UpdateAudit(const std::vector<audit::AuditLog::Status>& outputs);

 private:
  void UpdateKafka(const UpstreamStatus& upstream);
  void UpdateIngest(const LinkRuntimeStatus& status);
  void UpdateAttachments(const UpstreamStatus& upstream);

  lifecycle::Readiness& readiness_;
  const std::chrono::milliseconds grace_;
  bool told_control_ = false;  // "control" is in the document
  bool was_attached_ = false;  // all partitions at once, since the start
};

}  // namespace spillway::edge
