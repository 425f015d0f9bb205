#include "services/edge/control/control_state.h"

#include <algorithm>
#include <utility>

#include "common/base/strings.h"
#include "common/control/control_entry.h"
#include "common/log/log.h"
#include "services/edge/session/session.h"

namespace spillway::edge {
namespace {

constexpr std::chrono::seconds kLogInterval{10};
// Connections that are ended in one turn of a worker; others of its clients have theirs between.
constexpr size_t kClosesATurn = 256;

}  // namespace

ControlState::ControlState(Options options, const Clock& clock, Blocks& blocks, IpLimits& ips,
                           AdminWorkers& workers, Hold hold)
    : options_(options),
      clock_(clock),
      blocks_(blocks),
      ips_(ips),
      workers_(workers),
      hold_(std::move(hold)),
      started_(clock.Now()),
      log_(clock, kLogInterval) {
  for (size_t i = 0; i < workers.count(); ++i) sweeps_.push_back(std::make_unique<Sweep>());
  if (options_.wait.count() == 0) {
    phase_ = Phase::kGivenUp;
  } else {
    hold_(true);
  }
}

void ControlState::SetPhase(Phase phase) {
  if (phase_ == phase) return;
  phase_ = phase;
  if (phase != Phase::kWaiting) hold_(false);
}

void ControlState::OnIngest(std::string_view node_id, bool has_topic) {
  MutexLock lock(mutex_);
  ingests_[std::string(node_id)] = has_topic;
  if (has_topic) {
    // Another one may have none, wrongly: who says that there is one is believed.
    if (phase_ == Phase::kNone) phase_ = Phase::kGivenUp;
    return;
  }
  const bool none = std::none_of(ingests_.begin(), ingests_.end(),
                                 [](const auto& ingest) { return ingest.second; });
  if (none && phase_ != Phase::kKnown) SetPhase(Phase::kNone);
}

void ControlState::OnIngestGone(std::string_view node_id) {
  MutexLock lock(mutex_);
  ingests_.erase(node_id);
}

Blocks::Merged ControlState::Take(const v1::ControlEntry& entry, bool* sweep) {
  const Blocks::Merged merged = blocks_.Merge(entry);
  if (merged == Blocks::Merged::kFull) {
    log_.Error("full", "a block or revocation is not in force: there are too many",
               {{"limit", blocks_.max_entries()}, {"setting", "edge.control.max_entries"}});
  }
  if (merged != Blocks::Merged::kTaken) return merged;
  if (!entry.removed()) *sweep = true;
  if (entry.removed() && entry.kind() == v1::CONTROL_KIND_IP_BLOCK) {
    const auto network = IpNetwork::Parse(entry.subject());
    if (network.ok()) ips_.Lift(*network);
  }
  return merged;
}

void ControlState::OnControl(std::string_view node_id, const v1::Control& control) {
  bool sweep = false;
  for (const v1::ControlEntry& entry : control.entries()) {
    if (const absl::Status status = control::Check(entry); !status.ok()) {
      log_.Warn("bad", "an ingest told a block that cannot be understood, and is passed over",
                {{"ingest", node_id}, {"problem", Std(status.message())}});
      continue;
    }
    Take(entry, &sweep);
  }
  if (sweep) Enforce();
  MutexLock lock(mutex_);
  if (control.complete()) {
    problem_.clear();
    SetPhase(Phase::kKnown);
  } else if (phase_ != Phase::kKnown && !control.problem().empty()) {
    problem_ = std::string(node_id) + ": " + control.problem();
  }
}

Blocks::Merged ControlState::Merge(const v1::ControlEntry& entry) {
  bool sweep = false;
  return Take(entry, &sweep);
}

void ControlState::Enforce() {
  for (size_t worker = 0; worker < sweeps_.size(); ++worker) {
    if (!sweeps_[worker]->asked.exchange(true, std::memory_order_acq_rel)) SweepWorker(worker);
  }
}

void ControlState::SweepWorker(size_t worker) {
  workers_.Post(worker, [this, worker](SessionRegistry& sessions, HubShard&) {
    // What is added from here on is looked for again.
    sweeps_[worker]->asked.store(false, std::memory_order_release);
    size_t closed = 0;
    for (Session* session : sessions.All()) {
      if (!session->CloseIfBlocked(blocks_) || ++closed < kClosesATurn) continue;
      if (!sweeps_[worker]->asked.exchange(true, std::memory_order_acq_rel)) SweepWorker(worker);
      break;
    }
    if (closed > 0) log::Info("connections ended for blocks", {{"connections", closed}});
  });
}

void ControlState::Update() {
  blocks_.Expire();
  MutexLock lock(mutex_);
  if (phase_ != Phase::kWaiting || clock_.Now() - started_ < options_.wait) return;
  log::Warn("blocks and revocations are not known; clients are let in all the same",
            {{"problem", problem_.empty() ? "no ingest has told them" : problem_}});
  SetPhase(Phase::kGivenUp);
}

ControlState::Status ControlState::status() const {
  MutexLock lock(mutex_);
  return {.phase = phase_,
          .problem = problem_,
          .durable = std::any_of(ingests_.begin(), ingests_.end(),
                                 [](const auto& ingest) { return ingest.second; })};
}

std::vector<std::string> ControlState::Writers() const {
  std::vector<std::string> writers;
  MutexLock lock(mutex_);
  for (const auto& [node, has_topic] : ingests_) {
    if (has_topic) writers.push_back(node);
  }
  std::sort(writers.begin(), writers.end());
  return writers;
}

}  // namespace spillway::edge
