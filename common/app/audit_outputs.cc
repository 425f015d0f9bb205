#include "common/app/audit_outputs.h"

#include <unistd.h>

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/audit/fd_output.h"
#include "common/audit/file_output.h"
#include "common/base/strings.h"

namespace spillway::app {

absl::Status AddAuditOutputs(std::string_view key, const v1::AuditFileConfig& file, bool console,
                             audit::AuditLog* log) {
  if (!file.path().empty()) {
    auto output = audit::FileOutput::Open(
        {.path = file.path(), .max_bytes = file.max_bytes(), .kept = file.kept()});
    if (!output.ok()) {
      return absl::Status(output.status().code(),
                          absl::StrCat(Abs(key), ".path: ", output.status().message()));
    }
    log->AddOutput("file", *std::move(output));
  }
  if (console) log->AddOutput("console", std::make_unique<audit::FdOutput>(STDOUT_FILENO));
  return absl::OkStatus();
}

}  // namespace spillway::app
