// LinkCore: reads of snapshots and history, asked of whoever serves each slot.

#include <algorithm>
#include <map>
#include <utility>

#include "services/edge/upstream/link_core.h"

namespace spillway::edge {

void LinkCore::Read(size_t worker, uint64_t read_id, std::string channel, bool history,
                    std::vector<std::pair<SlotNumber, int64_t>> from, MonoTime now) {
  waiting_reads_.push_back({.worker = worker,
                            .read_id = read_id,
                            .channel = std::move(channel),
                            .history = history,
                            .from = std::move(from),
                            .begun = now,
                            .not_before = now});
  StartReads(now);
}

void LinkCore::StartReads(MonoTime now) {
  std::vector<PendingRead> waiting = std::exchange(waiting_reads_, {});
  for (PendingRead& read : waiting) {
    if (now < read.not_before) {
      waiting_reads_.push_back(std::move(read));
      continue;
    }
    std::map<LinkId, std::vector<std::pair<SlotNumber, int64_t>>> by_link;
    std::vector<std::pair<SlotNumber, int64_t>> unattached;
    for (const auto& [number, offset] : read.from) {
      const SlotState* slot = number < slots_.size() ? slots_[number].get() : nullptr;
      if (slot != nullptr && slot->phase == SlotState::Phase::kAttached) {
        by_link[slot->link].emplace_back(number, offset);
      } else {
        unattached.emplace_back(number, offset);
      }
    }
    for (auto& [id, from] : by_link) {
      LinkState& link = *links_.at(id);
      const uint64_t number = next_call_++;
      auto call = std::make_unique<PendingCall>();
      call->link = id;
      call->read = read;
      call->read.from = from;
      v1::SnapshotRequest snapshot;
      v1::HistoryRequest history;
      for (const auto& [slot, offset] : from) {
        v1::SlotOffset* entry = read.history ? history.add_after() : snapshot.add_not_before();
        entry->set_slot(link.numbers.at(slot));
        entry->set_offset(offset);
        if (read.history) *history.add_not_before() = *entry;
      }
      calls_[number] = std::move(call);
      if (read.history) {
        history.set_channel(read.channel);
        history.set_node_id(link.node_id);
        sink_.StartRead(id, number, std::move(history));
      } else {
        snapshot.set_channel(read.channel);
        snapshot.set_node_id(link.node_id);
        sink_.StartRead(id, number, std::move(snapshot));
      }
    }
    if (unattached.empty()) continue;
    read.from = std::move(unattached);
    if (now - read.begun >= options_.read_timeout) {
      PendingCall failed{.link = 0, .read = std::move(read), .result = {}};
      FinishRead(failed, /*failed=*/true, now);
    } else {
      read.not_before = now + options_.read_retry;
      waiting_reads_.push_back(std::move(read));
    }
  }
}

void LinkCore::OnReadResponse(uint64_t number, const v1::ReadResponse& response, MonoTime now) {
  const auto found = calls_.find(number);
  if (found == calls_.end()) return;
  PendingCall& call = *found->second;
  const LinkState* link = FindLink(call.link);
  if (link == nullptr) return;
  const auto ours = [&](uint32_t slot) {
    const auto mapped = link->slots.find(slot);
    return mapped == link->slots.end() ? kNoSlot : mapped->second;
  };
  for (const v1::Event& event : response.events()) {
    View(event);
    call.result.events.push_back(EdgeEvent::Make(scratch_, ours(event.slot()), variants_.size()));
  }
  scratch_.Clear();
  if (!response.last()) return;
  for (const v1::SlotOffset& as_of : response.as_of()) {
    if (ours(as_of.slot()) != kNoSlot) continue;
    // The ingest's catalogue has lost it since: asked again of whoever serves it now.
    OnReadFailed(number, "the slot is gone from the ingest's catalogue", now);
    return;
  }
  for (const v1::SlotOffset& as_of : response.as_of()) {
    call.result.as_of.push_back(
        {ours(as_of.slot()), as_of.offset(), static_cast<uint16_t>(as_of.fingerprint())});
  }
  for (const v1::Gap& gap : response.gaps()) {
    call.result.gaps.push_back({ours(gap.slot()), gap.from(), gap.to()});
  }
  call.result.complete = response.complete();
  call.result.since_us = response.since_us();
  FinishRead(call, /*failed=*/call.result.as_of.size() != call.read.from.size(), now);
  calls_.erase(number);
}

void LinkCore::OnReadFailed(uint64_t number, std::string_view error, MonoTime now) {
  const auto found = calls_.find(number);
  if (found == calls_.end()) return;
  std::unique_ptr<PendingCall> call = std::move(found->second);
  calls_.erase(found);
  if (now - call->read.begun >= options_.read_timeout) {
    sink_.Report("read_failed", std::string(error));
    FinishRead(*call, /*failed=*/true, now);
    return;
  }
  call->read.not_before = now + options_.read_retry;
  waiting_reads_.push_back(std::move(call->read));
}

void LinkCore::FinishRead(PendingCall& call, bool failed, MonoTime) {
  if (failed) {
    call.result = EdgeReadResult();
    call.result.failed = true;
    for (const auto& [slot, offset] : call.read.from) {
      call.result.as_of.push_back({slot, offset, 0});
    }
  }
  sink_.PostRead(call.read.worker, call.read.read_id,
                 std::make_shared<EdgeReadResult>(std::move(call.result)));
}

}  // namespace spillway::edge
