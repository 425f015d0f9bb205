// LinkCore: interest and where each channel's coverage begins.

#include <algorithm>
#include <utility>

#include "services/edge/upstream/link_core.h"

namespace spillway::edge {

void LinkCore::SendWholeInterest(LinkState& link) {
  v1::LinkRequest request;
  v1::Interest* interest = request.mutable_interest();
  interest->set_sequence(++link.interest_sequence);
  interest->set_full(true);
  for (auto& [name, channel] : interests_) {
    interest->add_add(name);
    channel->sequences.emplace_back(link.id, link.interest_sequence);
  }
  sink_.Send(link.id, std::move(request));
}

void LinkCore::SendInterest(v1::Interest change) {
  for (auto& [id, link] : links_) {
    if (!link->greeted) continue;  // its Hello brings it the whole
    change.set_sequence(++link->interest_sequence);
    v1::LinkRequest request;
    *request.mutable_interest() = change;
    for (const std::string& name : change.add()) {
      interests_.at(name)->sequences.emplace_back(id, link->interest_sequence);
    }
    sink_.Send(id, std::move(request));
  }
}

void LinkCore::AwaitCoverage(ChannelInterest& channel, const SlotState& slot) {
  bool snapshot = false;
  if (!slot.entry->Feeds(channel.name, &snapshot)) return;
  channel.coverage.push_back({.slot = slot.number()});
  slots_[slot.number()]->awaiting.insert(channel.name);
}

void LinkCore::AddInterest(size_t worker, std::string_view name, MonoTime) {
  auto& channel = interests_[std::string(name)];
  if (channel == nullptr) {
    channel = std::make_unique<ChannelInterest>();
    channel->name = std::string(name);
    for (const auto& slot : slots_) {
      if (slot != nullptr) AwaitCoverage(*channel, *slot);
    }
    v1::Interest change;
    change.add_add(channel->name);
    channel->workers.push_back(worker);
    SendInterest(std::move(change));
    return;
  }
  if (std::find(channel->workers.begin(), channel->workers.end(), worker) ==
      channel->workers.end()) {
    channel->workers.push_back(worker);
  }
  for (const ChannelInterest::Coverage& coverage : channel->coverage) {
    if (coverage.known) sink_.PostInterest(worker, channel->name, coverage.slot, coverage.after);
  }
}

void LinkCore::RemoveInterest(size_t worker, std::string_view name, MonoTime now) {
  const auto found = interests_.find(name);
  if (found == interests_.end()) return;
  std::erase(found->second->workers, worker);
  found->second->unused_since = now;
}

void LinkCore::CoverageKnown(const SlotState& slot, const LinkState& link, uint64_t sequence,
                             int64_t after) {
  SlotState& state = *slots_[slot.number()];
  if (state.awaiting.empty()) return;
  std::vector<std::string> told;
  for (const std::string& name : state.awaiting) {
    const auto found = interests_.find(name);
    if (found == interests_.end()) {
      told.push_back(name);
      continue;
    }
    ChannelInterest& channel = *found->second;
    if (channel.SequenceOn(link.id) > sequence) continue;  // sent later: its answer is to come
    told.push_back(name);
    for (ChannelInterest::Coverage& coverage : channel.coverage) {
      if (coverage.slot != slot.number()) continue;
      coverage.known = true;
      coverage.after = after;
    }
    for (size_t worker : channel.workers) {
      sink_.PostInterest(worker, channel.name, slot.number(), after);
    }
  }
  for (const std::string& name : told) state.awaiting.erase(name);
}

void LinkCore::ExpireInterest(MonoTime now) {
  v1::Interest change;
  for (auto channel = interests_.begin(); channel != interests_.end();) {
    if (!channel->second->workers.empty() ||
        now - channel->second->unused_since < options_.interest_linger) {
      ++channel;
      continue;
    }
    change.add_remove(channel->first);
    for (const ChannelInterest::Coverage& coverage : channel->second->coverage) {
      if (slots_[coverage.slot] != nullptr) slots_[coverage.slot]->awaiting.erase(channel->first);
    }
    interests_.erase(channel++);
  }
  if (change.remove_size() > 0) SendInterest(std::move(change));
}

}  // namespace spillway::edge
