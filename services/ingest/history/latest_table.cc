#include "services/ingest/history/latest_table.h"

#include <algorithm>
#include <utility>

#include "common/wire/event_wire.h"

namespace spillway::ingest {
namespace {

// What an entry costs beside its strings: itself, map slot, shared_ptr control block.
constexpr size_t kEntryOverhead = 192;

// Nearly all records yield one event.
std::unique_ptr<const std::vector<std::string>> ChannelsBefore(const LogRecord& record,
                                                               size_t event) {
  if (event == 0) return nullptr;
  auto before = std::make_unique<std::vector<std::string>>();
  wire::ChannelViews channels;
  for (size_t i = 0; i < event; ++i) {
    wire::ParseBatchEventChannels(record.EventBytes(record.events[i]), &channels);
    before->insert(before->end(), channels.begin(), channels.end());
  }
  return before;
}

}  // namespace

size_t LatestTable::CostOf(const Entry& entry) {
  size_t bytes = kEntryOverhead + entry.key.size();
  if (entry.bytes != nullptr) bytes += entry.bytes->size();
  if (entry.before == nullptr) return bytes;
  for (const std::string& channel : *entry.before) bytes += sizeof(channel) + channel.size();
  return bytes;
}

void LatestTable::Ages::Append(Entry* entry) {
  entry->older = newest;
  entry->newer = nullptr;
  (newest == nullptr ? oldest : newest->newer) = entry;
  newest = entry;
}

void LatestTable::Ages::Remove(Entry* entry) {
  (entry->older == nullptr ? oldest : entry->older->newer) = entry->newer;
  (entry->newer == nullptr ? newest : entry->newer->older) = entry->older;
}

void LatestTable::Apply(const NormalisedRecord& record) {
  for (const LatestUpdate& update : record.latest) Set(update, record.record);
}

LatestTable::Entry* LatestTable::Find(const LatestUpdate& update) {
  const auto channel = channels_.find(std::string_view(update.channel));
  if (channel == channels_.end()) return nullptr;
  const auto found = channel->second->keys.find(std::string_view(update.key));
  return found == channel->second->keys.end() ? nullptr : found->second.get();
}

LatestTable::Entry* LatestTable::Add(const LatestUpdate& update) {
  auto channel = channels_.find(std::string_view(update.channel));
  if (channel == channels_.end()) {
    auto made = std::make_unique<Channel>();
    made->name = update.channel;
    const std::string_view name = made->name;
    channel = channels_.emplace(name, std::move(made)).first;
  }
  auto made = std::make_unique<Entry>();
  made->key = update.key;
  made->channel = channel->second.get();
  Entry* const entry = made.get();
  channel->second->keys.emplace(std::string_view(entry->key), std::move(made));
  bytes_ += CostOf(*entry);
  ++size_;
  return entry;
}

void LatestTable::Remove(Entry* entry) {
  AgesOf(*entry).Remove(entry);
  bytes_ -= CostOf(*entry);
  --size_;
  Channel* const channel = entry->channel;
  // Taken out by the place, not by the key: the key is the entry's.
  channel->keys.erase(channel->keys.find(std::string_view(entry->key)));
  if (channel->keys.empty()) channels_.erase(channels_.find(std::string_view(channel->name)));
}

void LatestTable::GiveUp(Entry* entry) {
  given_up_ = std::max(given_up_, entry->offset);
  Remove(entry);
}

void LatestTable::Set(const LatestUpdate& update, const LogRecord& record) {
  Entry* entry = Find(update);
  if (entry != nullptr && entry->offset >= record.offset) return;  // older than what is known

  if (update.tombstone && joined_) {
    if (entry != nullptr) Remove(entry);
    return;
  }
  if (entry == nullptr && record.offset <= given_up_) {
    ++evicted_;
    evicted_until_us_ = std::max(evicted_until_us_, record.time_us + 1);
    return;
  }

  const LogEvent* event = update.tombstone ? nullptr : &record.events[update.event];
  if (entry == nullptr) {
    entry = Add(update);
  } else {
    AgesOf(*entry).Remove(entry);
  }
  bytes_ -= CostOf(*entry);
  entry->offset = record.offset;
  entry->time_us = record.time_us;
  entry->bytes =
      event == nullptr ? nullptr : std::make_shared<const std::string>(record.EventBytes(*event));
  entry->before = event == nullptr ? nullptr : ChannelsBefore(record, update.event);
  bytes_ += CostOf(*entry);
  entry->backfilled = record.offset < newest_offset_;
  newest_offset_ = std::max(newest_offset_, record.offset);
  AgesOf(*entry).Append(entry);
  while (bytes_ > max_bytes_) {
    Entry* const oldest = Oldest();
    ++evicted_;
    evicted_until_us_ = std::max(evicted_until_us_, oldest->time_us + 1);
    GiveUp(oldest);
  }
}

bool LatestTable::IsFirst(const Entry& entry, const ChannelPattern& pattern) {
  const auto matches = [&pattern](std::string_view name) { return pattern.Matches(name); };
  if (entry.before != nullptr && std::any_of(entry.before->begin(), entry.before->end(), matches)) {
    return false;
  }
  wire::ChannelViews channels;
  if (!wire::ParseBatchEventChannels(*entry.bytes, &channels)) return false;
  const auto first = std::find_if(channels.begin(), channels.end(), matches);
  return first != channels.end() && *first == entry.channel->name;
}

void LatestTable::Expire(int64_t now_us) {
  if (horizon_us_ == 0) return;
  const int64_t least = now_us - horizon_us_;
  for (Ages* ages : {&backfilled_, &live_}) {
    while (ages->oldest != nullptr && ages->oldest->time_us < least) GiveUp(ages->oldest);
  }
  expired_until_us_ = std::max(expired_until_us_, least);
}

void LatestTable::BackfillJoined(bool whole_topic, int64_t since_us) {
  joined_ = true;
  complete_ = whole_topic;
  since_us_ = since_us;
  DropTombstones();
}

void LatestTable::DropTombstones() {
  for (Ages* ages : {&backfilled_, &live_}) {
    for (Entry* entry = ages->oldest; entry != nullptr;) {
      Entry* const next = entry->newer;
      if (entry->bytes == nullptr) Remove(entry);
      entry = next;
    }
  }
}

}  // namespace spillway::ingest
