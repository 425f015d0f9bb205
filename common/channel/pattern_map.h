#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "common/base/string_map.h"
#include "common/channel/channel_pattern.h"

namespace spillway {

// Patterns with a value each, found by the channels that match them. Which ones match a channel is
// worked out once and remembered, so that whoever asks for the same channels again does not try all
// patterns; patterns may come and go meanwhile, and only those that came are tried then.
//
// Bounded: it remembers so many channels; at the bound all are forgotten (metric: forgotten()).
// Values stay where they are. Not thread-safe; its owner says who may call it.
template <typename Value>
class PatternMap {
 public:
  static constexpr size_t kMostChannels = 16 << 10;

  explicit PatternMap(size_t most_channels = kMostChannels) : most_channels_(most_channels) {}

  bool empty() const { return by_text_.empty(); }
  size_t size() const { return by_text_.size(); }
  // Channels that are remembered, and how often all of them were forgotten at the bound.
  size_t channels() const { return channels_.size(); }
  uint64_t forgotten() const { return forgotten_; }

  // The value of a pattern, by its text; null: there is none.
  Value* Find(std::string_view text) {
    const auto found = by_text_.find(text);
    return found == by_text_.end() ? nullptr : &entries_[found->second]->value;
  }
  // Its value; an older one of that pattern stays.
  Value& Add(ChannelPattern pattern, Value value) {
    const auto [found, fresh] =
        by_text_.try_emplace(pattern.text(), static_cast<uint32_t>(entries_.size()));
    if (fresh) entries_.push_back(std::make_unique<Entry>(std::move(pattern), std::move(value)));
    return entries_[found->second]->value;
  }
  // False: there is no such pattern.
  bool Remove(std::string_view text) {
    const auto found = by_text_.find(text);
    if (found == by_text_.end()) return false;
    entries_[found->second].reset();
    by_text_.erase(found);
    if (entries_.size() > kLeastEntries && entries_.size() > 2 * by_text_.size()) CloseUp();
    return true;
  }
  void Clear() {
    by_text_.clear();
    entries_.clear();
    channels_.clear();
  }

  // Calls visit(const ChannelPattern&, Value&) for each pattern that the channel matches, in the
  // order in which they were added. Valid until the map changes.
  template <typename Visit>
  void ForEachMatch(std::string_view channel, Visit visit) {
    if (empty()) return;
    for (const uint32_t index : Matches(channel)) {
      if (Entry* const entry = entries_[index].get(); entry != nullptr) {
        visit(entry->pattern, entry->value);
      }
    }
  }
  bool MatchesAny(std::string_view channel) {
    bool any = false;
    ForEachMatch(channel, [&any](const ChannelPattern&, Value&) { any = true; });
    return any;
  }

 private:
  static constexpr size_t kLeastEntries = 64;

  struct Entry {
    Entry(ChannelPattern of, Value with) : pattern(std::move(of)), value(std::move(with)) {}
    const ChannelPattern pattern;
    Value value;
  };
  using Indices = absl::InlinedVector<uint32_t, 2>;
  struct Channel {
    uint32_t tried = 0;  // entries before this one
    Indices matches;     // of them; some may be gone since
  };

  const Indices& Matches(std::string_view name) {
    auto found = channels_.find(name);
    if (found == channels_.end()) {
      if (channels_.size() >= most_channels_) {
        channels_.clear();
        ++forgotten_;
      }
      found = channels_.try_emplace(std::string(name)).first;
    }
    Channel& channel = found->second;
    for (; channel.tried < entries_.size(); ++channel.tried) {
      const Entry* const entry = entries_[channel.tried].get();
      if (entry != nullptr && entry->pattern.Matches(name)) {
        channel.matches.push_back(channel.tried);
      }
    }
    return channel.matches;
  }
  // Takes out what is gone; numbers mean something else then.
  void CloseUp() {
    std::erase(entries_, nullptr);
    for (size_t i = 0; i < entries_.size(); ++i) {
      by_text_[entries_[i]->pattern.text()] = static_cast<uint32_t>(i);
    }
    channels_.clear();
  }

  size_t most_channels_;
  std::vector<std::unique_ptr<Entry>> entries_;  // in the order in which they came; null: gone
  StringMap<uint32_t> by_text_;
  StringMap<Channel> channels_;
  uint64_t forgotten_ = 0;
};

}  // namespace spillway
