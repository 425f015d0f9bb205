#include "services/ingest/app/ingest_doors.h"

#include <string>

#include "common/app/callers.h"

namespace spillway::ingest {

std::vector<rpc::Access::Door> DoorsOf(const v1::IngestConfig& config) {
  std::vector<rpc::Access::Door> doors;
  doors.push_back({.key = "ingest.publish",
                   .services = {"spillway.v1.PublishService"},
                   .callers = app::CallersOf("ingest.publish", config.publish(), v1::ROLE_PUBLISHER,
                                             [](const auto&) { return v1::ROLE_PUBLISHER; }),
                   .open_role = v1::ROLE_PUBLISHER});
  doors.push_back({.key = "ingest.link",
                   .services = {"spillway.v1.LinkService", "spillway.v1.ReadService"},
                   .callers = app::CallersOf("ingest.link", config.link(), v1::ROLE_EDGE,
                                             [](const auto&) { return v1::ROLE_EDGE; }),
                   .open_role = v1::ROLE_EDGE});
  // Who may be an edge may write blocks and audit lines, unless that has a token of its own.
  const std::vector<std::string> writing = {"spillway.v1.ControlService",
                                            "spillway.v1.AuditService"};
  if (config.control().bearer_token().empty()) {
    for (const std::string& service : writing) doors.back().services.push_back(service);
    return doors;
  }
  doors.push_back({.key = "ingest.control",
                   .services = writing,
                   .callers = {{.key = "ingest.control.bearer_token",
                                .name = app::kTokenCaller,
                                .role = v1::ROLE_EDGE,
                                .token = config.control().bearer_token()}},
                   .open_role = v1::ROLE_EDGE});
  return doors;
}

}  // namespace spillway::ingest
