// LinkCore: interest and where each channel's coverage begins.

#include <algorithm>
#include <utility>

#include "common/base/erase_if.h"
#include "common/channel/channel_hash.h"
#include "services/edge/upstream/link_core.h"

namespace spillway::edge {

// Writes a change of interest to one link, as messages of a bounded size: each is in force as the
// ingest takes it, and has a sequence of its own.
class LinkCore::InterestWriter {
 public:
  // `full`: the first message makes void what was wanted before.
  InterestWriter(const LinkCore& core, LinkState& link, bool full)
      : sink_(core.sink_), max_bytes_(core.options_.interest_bytes), link_(link) {
    if (full) Next().set_full(true);
  }

  void Add(ChannelInterest& channel) {
    Room(channel.name).add_add(channel.name);
    channel.sequences.emplace_back(link_.id, link_.interest_sequence);
  }
  void Remove(const std::string& name) { Room(name).add_remove(name); }
  void Finish() {
    if (request_.has_interest()) sink_.Send(link_.id, std::exchange(request_, {}));
  }

 private:
  static constexpr size_t kNameOverhead = 3;  // a tag and a length

  v1::Interest& Next() {
    request_.mutable_interest()->set_sequence(++link_.interest_sequence);
    bytes_ = 0;
    return *request_.mutable_interest();
  }
  v1::Interest& Room(const std::string& name) {
    const size_t size = name.size() + kNameOverhead;
    if (bytes_ > 0 && bytes_ + size > max_bytes_) Finish();
    if (!request_.has_interest()) Next();
    bytes_ += size;
    return *request_.mutable_interest();
  }

  LinkCoreSink& sink_;
  const size_t max_bytes_;
  LinkState& link_;
  v1::LinkRequest request_;
  size_t bytes_ = 0;
};

void LinkCore::SendWholeInterest(LinkState& link) {
  InterestWriter writer(*this, link, /*full=*/true);
  for (const auto& channel : interests_) writer.Add(*channel);
  writer.Finish();
}

void LinkCore::SendInterest(const std::vector<ChannelInterest*>& add,
                            const std::vector<std::string>& remove) {
  for (auto& [id, link] : links_) {
    if (!link->greeted) continue;  // its Hello brings it the whole
    InterestWriter writer(*this, *link, /*full=*/false);
    for (const std::string& name : remove) writer.Remove(name);
    for (ChannelInterest* channel : add) writer.Add(*channel);
    writer.Finish();
  }
}

MonoTime LinkCore::EndTurn(MonoTime now) {
  if (fresh_.empty()) return MonoTime::max();
  if (now < tell_not_before_) return tell_not_before_;
  tell_not_before_ =
      now + std::clamp<MonoTime::duration>(
                static_cast<MonoTime::duration::rep>(fresh_.size()) * options_.interest_each,
                options_.least_interest_interval, options_.most_interest_interval);
  TellFresh();
  return MonoTime::max();
}

void LinkCore::TellFresh() {
  if (!fresh_.empty()) SendInterest(std::exchange(fresh_, {}), {});
}

void LinkCore::AwaitCoverage(ChannelInterest& channel, const SlotState& slot) {
  if (!channel.FedBy(*slot.entry)) return;
  channel.coverage.push_back({.slot = slot.number()});
  slots_[slot.number()]->awaiting.push_back(&channel);
}

void LinkCore::AddInterest(size_t worker, std::string_view name, MonoTime, uint64_t interest) {
  const auto found = interests_.find(name);
  if (found == interests_.end()) {
    auto made = std::make_unique<ChannelInterest>();
    made->name = std::string(name);
    if (IsChannelPattern(name)) {
      auto pattern = ChannelPattern::Parse(name);
      if (!pattern.ok()) return;  // nobody subscribes to such a one
      patterns_.Add(*pattern, made.get());
      made->hash = ChannelHash(name);
      made->pattern = std::make_unique<const ChannelPattern>(*std::move(pattern));
    }
    ChannelInterest& channel = **interests_.insert(std::move(made)).first;
    for (const auto& slot : slots_) {
      if (slot != nullptr) AwaitCoverage(channel, *slot);
    }
    channel.workers.push_back({worker, interest});
    fresh_.push_back(&channel);
    return;
  }
  ChannelInterest& channel = **found;
  if (std::exchange(channel.is_unused, false)) UnusedLike(channel).erase(channel.unused);
  EraseIf(&channel.workers, [&](const auto& one) { return one.worker == worker; });
  channel.workers.push_back({worker, interest});
  std::vector<ChannelCoverage> covered;
  for (const ChannelInterest::Coverage& coverage : channel.coverage) {
    if (coverage.known) {
      covered.push_back({channel.name, coverage.slot, coverage.after, interest});
    }
  }
  if (!covered.empty()) sink_.PostInterest(worker, std::move(covered));
}

void LinkCore::RemoveInterest(size_t worker, std::string_view name, MonoTime now) {
  const auto found = interests_.find(name);
  if (found == interests_.end()) return;
  ChannelInterest& channel = **found;
  EraseIf(&channel.workers, [&](const auto& one) { return one.worker == worker; });
  if (!channel.workers.empty() || channel.is_unused) return;
  channel.unused_since = now;
  ChannelInterest::Unused& unused = UnusedLike(channel);
  channel.unused = unused.insert(unused.end(), &channel);
  channel.is_unused = true;
}

void LinkCore::CoverageKnown(const SlotState& slot, const LinkState& link, uint64_t sequence,
                             int64_t after) {
  SlotState& state = *slots_[slot.number()];
  if (state.awaiting.empty()) return;
  size_t kept = 0;
  for (ChannelInterest* const awaiting : state.awaiting) {
    ChannelInterest& channel = *awaiting;
    if (channel.SequenceOn(link.id) > sequence) {  // sent later: its answer is to come
      state.awaiting[kept++] = awaiting;
      continue;
    }
    for (ChannelInterest::Coverage& coverage : channel.coverage) {
      if (coverage.slot != slot.number()) continue;
      coverage.known = true;
      coverage.after = after;
    }
    for (const auto& [worker, interest] : channel.workers) {
      covered_[worker].push_back({channel.name, slot.number(), after, interest});
    }
  }
  state.awaiting.resize(kept);
  if (kept == 0) state.awaiting.shrink_to_fit();
}

void LinkCore::PostCoverage() {
  for (auto& [worker, covered] : covered_) sink_.PostInterest(worker, std::move(covered));
  covered_.clear();
}

void LinkCore::ExpireInterest(MonoTime now) {
  // Only those that nobody wants are looked at, the oldest first: of the others there may be very
  // many.
  std::vector<std::string> remove;
  const auto expire = [&](ChannelInterest::Unused& unused, size_t most) {
    while (!unused.empty() && (unused.size() > most ||
                               now - unused.front()->unused_since >= options_.interest_linger)) {
      TellFresh();  // what was not told cannot be taken back
      unused.front()->expired = true;
      remove.push_back(unused.front()->name);
      unused.pop_front();
    }
  };
  expire(unused_, SIZE_MAX);
  expire(unused_patterns_, options_.lingering_patterns);
  if (remove.empty()) return;
  for (const auto& slot : slots_) {
    if (slot == nullptr) continue;
    EraseIf(&slot->awaiting, [](const ChannelInterest* channel) { return channel->expired; });
  }
  for (const std::string& name : remove) {
    patterns_.Remove(name);
    interests_.erase(interests_.find(name));
  }
  SendInterest({}, remove);
}

}  // namespace spillway::edge
