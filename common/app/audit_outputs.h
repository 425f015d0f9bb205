#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "common/audit/audit_log.h"
#include "spillway/v1/config_common.pb.h"

namespace spillway::app {

// Gives the log the file of the section at `key`, if it names one, and stdout, if it is wanted.
// InvalidArgument for a file that cannot be written to, which begins with the key. For the start
// only.
absl::Status AddAuditOutputs(std::string_view key, const v1::AuditFileConfig& file, bool console,
                             audit::AuditLog* log);

}  // namespace spillway::app
