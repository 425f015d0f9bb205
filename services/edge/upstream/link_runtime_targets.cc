#include "services/edge/upstream/link_runtime_targets.h"

#include <algorithm>

namespace spillway::edge {

IngestTargets::IngestTargets(const Options& options, const std::vector<std::string>& addresses,
                             Backoff::Random random)
    : options_(options), random_(std::move(random)) {
  for (const std::string& address : addresses) Open(address).configured = true;
}

IngestTargets::Target& IngestTargets::Open(const std::string& address) {
  return targets_.try_emplace(address, options_.backoff, random_).first->second;
}

IngestTargets::Targets::iterator IngestTargets::Find(LinkId link) {
  return std::find_if(targets_.begin(), targets_.end(),
                      [link](const auto& entry) { return entry.second.link == link; });
}

void IngestTargets::SetResolved(const std::vector<std::string>& addresses) {
  for (auto& [address, target] : targets_) target.resolved = false;
  for (const std::string& address : addresses) Open(address).resolved = true;
  Forget();
}

void IngestTargets::Forget() {
  std::erase_if(targets_, [](const auto& entry) {
    const Target& target = entry.second;
    return !target.configured && !target.resolved && target.link == 0;
  });
}

std::vector<IngestTargets::Dial> IngestTargets::TakeDue(MonoTime now) {
  std::vector<Dial> due;
  for (auto& [address, target] : targets_) {
    if (target.link != 0 || now < target.dial_at) continue;
    target.link = next_link_++;
    target.heard = target.duplicate = false;
    due.push_back({target.link, address});
  }
  return due;
}

void IngestTargets::OnHello(LinkId link, std::string_view node_id) {
  const auto found = Find(link);
  if (found == targets_.end()) return;
  Target& target = found->second;
  target.heard = true;
  target.failed = false;
  target.node_id = std::string(node_id);
  target.error.clear();
  target.backoff.Reset();
}

bool IngestTargets::OnEnded(LinkId link, std::string_view error, bool duplicate, MonoTime now) {
  const auto found = Find(link);
  if (found == targets_.end()) return false;
  Target& target = found->second;
  const bool news = !duplicate && !target.failed;
  target.link = 0;
  target.heard = false;
  target.duplicate = duplicate;
  target.failed = !duplicate;
  target.error = duplicate ? std::string() : std::string(error);
  target.dial_at = now + (duplicate ? options_.duplicate_wait : target.backoff.Next());
  Forget();
  return news;
}

size_t IngestTargets::ExpectedLinks() const {
  return static_cast<size_t>(std::count_if(
      targets_.begin(), targets_.end(), [](const auto& entry) { return !entry.second.duplicate; }));
}

std::string IngestTargets::AddressOf(LinkId link) const {
  for (const auto& [address, target] : targets_) {
    if (target.link == link) return address;
  }
  return {};
}

std::vector<IngestTargetStatus> IngestTargets::Status() const {
  std::vector<IngestTargetStatus> all;
  for (const auto& [address, target] : targets_) {
    all.push_back({.address = address,
                   .node_id = target.node_id,
                   .up = target.link != 0 && target.heard,
                   .duplicate = target.duplicate,
                   .error = target.error});
  }
  return all;
}

}  // namespace spillway::edge
