#include "services/edge/app/app_readiness.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace spillway::edge {
namespace {

using Level = lifecycle::Readiness::Level;

constexpr size_t kNamed = 5;  // of partitions in a sentence

}  // namespace

EdgeReadiness::EdgeReadiness(lifecycle::Readiness& readiness, std::chrono::milliseconds grace)
    : readiness_(readiness), grace_(grace) {
  for (const char* name : {"kafka", "ingest", "attachments"}) readiness_.Expect(name);
}

void EdgeReadiness::Update(const LinkRuntimeStatus& status) {
  UpdateKafka(*status.upstream);
  UpdateIngest(status);
  UpdateAttachments(*status.upstream);
}

void EdgeReadiness::UpdateKeys(const std::vector<TokenKeys::Source>& sources) {
  if (sources.empty()) return;
  size_t missing = 0;
  std::vector<std::string> problems;
  for (const TokenKeys::Source& source : sources) {
    if (source.status.keys == 0) ++missing;
    if (source.status.keys != 0 && source.status.error.empty()) continue;
    if (problems.size() == kNamed) continue;
    problems.push_back(absl::StrCat(
        source.name, ": ", source.status.error.empty() ? "not loaded yet" : source.status.error));
  }
  if (missing > 0) {
    readiness_.Set("keys", absl::StrCat(missing, " missing"), Level::kFailed,
                   absl::StrJoin(problems, "; "));
  } else if (problems.empty()) {
    readiness_.Set("keys", "loaded", Level::kOk);
  } else {
    readiness_.Set("keys", "stale", Level::kDegraded, absl::StrJoin(problems, "; "));
  }
}

void EdgeReadiness::UpdateControl(const ControlState::Status& status) {
  const std::string why =
      status.problem.empty() ? "no ingest has told who is kept out" : status.problem;
  switch (status.phase) {
    case ControlState::Phase::kNone:
      if (told_control_) readiness_.Set("control", "none", Level::kOk);
      break;
    case ControlState::Phase::kWaiting:
      if (!status.durable) break;  // no ingest is linked, which is told
      told_control_ = true;
      readiness_.Set("control", "unknown", Level::kFailed, why);
      break;
    case ControlState::Phase::kKnown:
      told_control_ = true;
      readiness_.Set("control", "known", Level::kOk);
      break;
    case ControlState::Phase::kGivenUp:
      if (!status.durable && !told_control_) break;
      told_control_ = true;
      readiness_.Set("control", "unknown", Level::kDegraded, why);
      break;
  }
}

void EdgeReadiness::UpdateKafka(const UpstreamStatus& upstream) {
  if (upstream.kafka_up) return readiness_.Set("kafka", "connected", Level::kOk);
  std::vector<std::string> reasons;
  for (const UpstreamStatus::Link& link : upstream.links) {
    if (link.greeted) {
      reasons.push_back(absl::StrCat(
          link.node_id, ": ", link.kafka_error.empty() ? "not connected yet" : link.kafka_error));
    }
  }
  readiness_.Set("kafka", "disconnected", Level::kFailed,
                 reasons.empty() ? "no ingest is linked" : absl::StrJoin(reasons, "; "));
}

void EdgeReadiness::UpdateIngest(const LinkRuntimeStatus& status) {
  size_t up = 0;
  std::vector<std::string> down;
  for (const IngestTargetStatus& ingest : status.ingests) {
    if (ingest.up) {
      ++up;
    } else if (!ingest.duplicate) {
      const std::string name = ingest.node_id.empty()
                                   ? ingest.address
                                   : absl::StrCat(ingest.node_id, " (", ingest.address, ")");
      down.push_back(ingest.error.empty() ? name : absl::StrCat(name, ": ", ingest.error));
    }
  }
  if (!status.resolve_error.empty()) down.push_back(status.resolve_error);
  const std::string detail = absl::StrJoin(down, "; ");
  if (up == 0) {
    readiness_.Set("ingest", "disconnected", Level::kFailed,
                   detail.empty() ? "no ingest's address is known" : detail);
  } else if (down.empty()) {
    readiness_.Set("ingest", "connected", Level::kOk);
  } else {
    readiness_.Set("ingest", "degraded", Level::kDegraded, detail);
  }
}

void EdgeReadiness::UpdateAudit(const std::vector<audit::AuditLog::Status>& outputs) {
  if (outputs.empty()) return;
  std::vector<std::string> problems;
  for (const audit::AuditLog::Status& output : outputs) {
    if (!output.problem.empty()) {
      problems.push_back(absl::StrCat(output.output, ": ", output.problem, " (", output.waiting,
                                      " lines wait, ", output.left_out, " are lost)"));
    }
  }
  // Clients are served as well as ever: who needs the log more than service looks at this.
  readiness_.Set("audit", problems.empty() ? "written" : "unwritable",
                 problems.empty() ? Level::kOk : Level::kDegraded, absl::StrJoin(problems, "; "));
}

void EdgeReadiness::UpdateAttachments(const UpstreamStatus& upstream) {
  if (!upstream.catalogue_complete) {
    return readiness_.Set("attachments", "unattached", Level::kFailed,
                          "no ingest has told a complete catalogue yet");
  }
  size_t late = 0;
  size_t unattached = 0;
  size_t unread = 0;
  std::vector<std::string> names;
  std::vector<std::string> problems;
  for (const UpstreamStatus::Slot& slot : upstream.slots) {
    if (slot.attached) {
      if (slot.unread_ms <= grace_.count()) continue;
      if (++unread <= kNamed) {
        problems.push_back(absl::StrCat(
            slot.topic, "/", slot.partition, ": stalled for ", slot.unread_ms / 1000, " s",
            slot.reason.empty() ? "" : " (", slot.reason, slot.reason.empty() ? "" : ")"));
      }
      continue;
    }
    if (!slot.served) {
      // Its ingest is away for a moment, or its route goes with it: nothing that another node has.
      problems.push_back(
          absl::StrCat(slot.topic, "/", slot.partition, ": no linked ingest serves it"));
      continue;
    }
    ++unattached;
    // At the start nobody was served yet, so there is nothing to bridge.
    if (was_attached_ && slot.unattached_ms <= grace_.count()) continue;
    if (++late <= kNamed) names.push_back(absl::StrCat(slot.topic, "/", slot.partition));
  }
  if (late > kNamed) names.push_back("...");
  if (late > 0) {
    return readiness_.Set("attachments", absl::StrCat(late, " unattached"), Level::kFailed,
                          absl::StrJoin(names, ", "));
  }
  was_attached_ = was_attached_ || unattached == 0;
  for (const auto& [topic, problem] : upstream.problems) {
    problems.push_back(absl::StrCat(topic, ": ", problem));
  }
  std::sort(problems.begin(), problems.end());
  readiness_.Set("attachments", unread > 0 ? absl::StrCat(unread, " stalled") : "attached",
                 problems.empty() ? Level::kOk : Level::kDegraded, absl::StrJoin(problems, "; "));
}

}  // namespace spillway::edge
