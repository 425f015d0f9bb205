#pragma once

#include "common/audit/audit_log.h"
#include "services/edge/control/event_bus.h"

namespace spillway::edge {

// An event as a record of the audit log; refers to it. Pure; any thread.
audit::Record RecordOf(const v1::NodeEvent& event);

// Has the node's events written to the log, as far as that wants them. Before anything is
// published; `log` outlives it.
void AddAuditSink(EventBus& events, audit::AuditLog& log);

}  // namespace spillway::edge
