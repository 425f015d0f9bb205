#include "services/edge/control/members.h"

#include <set>
#include <string_view>
#include <utility>

namespace spillway::edge {

void Members::Refresh(MonoTime now) {
  std::erase_if(ingests_, [&](const auto& ingest) {
    return ingest.second.gone && now - ingest.second.gone_at >= options_.ingest_linger;
  });
  for (const auto& [id, ingest] : ingests_) {
    for (const std::string& node : ingest.nodes) {
      if (const auto known = nodes_.find(node); known != nodes_.end()) known->second.told = now;
    }
  }
  std::erase_if(nodes_,
                [&](const auto& node) { return now - node.second.told >= options_.linger; });
}

void Members::OnMembership(std::string_view ingest, const v1::Membership& membership) {
  MutexLock lock(mutex_);
  const MonoTime now = clock_.Now();
  Refresh(now);
  Ingest& told = ingests_[std::string(ingest)];
  told = Ingest();
  left_out_ = 0;
  for (const v1::Node& node : membership.nodes()) {
    if (node.node_id() == options_.node_id) continue;
    const auto found = nodes_.find(node.node_id());
    if (found == nodes_.end() && nodes_.size() >= options_.max_nodes) {
      ++left_out_;
      continue;
    }
    nodes_[node.node_id()] = {node, now};
    told.nodes.push_back(node.node_id());
  }
}

void Members::OnIngestGone(std::string_view ingest) {
  MutexLock lock(mutex_);
  const auto found = ingests_.find(ingest);
  if (found == ingests_.end()) return;
  found->second.gone = true;
  found->second.gone_at = clock_.Now();
}

std::vector<v1::Node> Members::Others() {
  std::vector<v1::Node> others;
  MutexLock lock(mutex_);
  Refresh(clock_.Now());
  for (const auto& [id, known] : nodes_) others.push_back(known.node);
  return others;
}

std::vector<v1::Node> Members::Peers() {
  std::vector<v1::Node> peers = Others();
  std::erase_if(peers, [](const v1::Node& node) { return node.kind() != v1::NODE_KIND_EDGE; });
  return peers;
}

std::vector<v1::Node> Members::Serving() {
  std::vector<v1::Node> serving;
  MutexLock lock(mutex_);
  const MonoTime now = clock_.Now();
  Refresh(now);
  // Of ingests that are linked: what others said last may long be over.
  std::set<std::string_view> told;
  for (const auto& [id, ingest] : ingests_) {
    if (!ingest.gone) told.insert(ingest.nodes.begin(), ingest.nodes.end());
  }
  for (const auto& [id, known] : nodes_) {
    if (known.node.kind() != v1::NODE_KIND_EDGE || known.node.draining()) continue;
    if (told.contains(id)) serving.push_back(known.node);
  }
  return serving;
}

std::vector<std::string> Members::PublicAddresses() {
  std::vector<std::string> addresses;
  for (const v1::Node& node : Serving()) {
    if (!node.addresses().public_address().empty()) {
      addresses.push_back(node.addresses().public_address());
    }
  }
  return addresses;
}

size_t Members::left_out() const {
  MutexLock lock(mutex_);
  return left_out_;
}

}  // namespace spillway::edge
