// What a receiver writes down of what its clients were told.
#include <simdjson.h>

#include "tools/load/receiver.h"

namespace spillway::load {

size_t Receiver::PlaceOf(const ClientState& client, std::string_view channel) const {
  const std::vector<std::string> channels = ChannelsOf(client.number);
  for (size_t i = 0; i < channels.size(); ++i) {
    if (channels[i] == channel) return i;
  }
  return checks_per_client_;
}

Journal::Entry Receiver::EntryOf(const ClientState& client, size_t place) const {
  Journal::Entry entry;
  entry.client = static_cast<uint32_t>(client.number);
  size_t stream = 0;
  while (stream + 1 < shapes_.size() && place >= shapes_[stream + 1].offset) ++stream;
  entry.channel = static_cast<uint32_t>(stream) << 24 |
                  options_.streams[stream].ChannelOf(
                      client.number, static_cast<uint32_t>(place - shapes_[stream].offset));
  return entry;
}

void Receiver::TakeUnstamped(const ClientState& client, std::string_view text) {
  const size_t place = PlaceOf(client, PositionTable::WhatIsSpokenOf(text).channel);
  if (place == checks_per_client_) {
    counters_.strange.Add(1);
  } else {
    NoteEvent(client, place, Stamp{}, text);
  }
}

void Receiver::NoteEvent(const ClientState& client, size_t place, const Stamp& stamp,
                         std::string_view text) {
  const PositionTable::Place at = returns_[client.index]->positions.TakeEvent(place, text);
  if (journal_ == nullptr) return;
  Journal::Entry entry = EntryOf(client, place);
  entry.kind = Journal::Kind::kEvent;
  entry.source = at.source;
  entry.from = at.offset;
  entry.to = stamp.sequence;
  journal_->Add(entry);
}

void Receiver::NotePositions(Journal::Entry entry, std::string_view text) {
  thread_local simdjson::dom::parser parser;
  simdjson::dom::element root;
  std::string_view name;
  if (parser.parse(text.data(), text.size()).get(root) != simdjson::SUCCESS ||
      root["type"].get(name) != simdjson::SUCCESS) {
    return;
  }
  std::string_view source;
  if (name == "gap") {
    entry.kind = Journal::Kind::kGap;
    if (root["source"].get(source) == simdjson::SUCCESS) {
      entry.source = journal_->SourceNumber(source);
    }
    if (root["reason"].get(name) == simdjson::SUCCESS) {
      entry.detail = static_cast<uint8_t>(Journal::ReasonOf(name));
    }
    if (root["from"].get(entry.from) != simdjson::SUCCESS ||
        root["to"].get(entry.to) != simdjson::SUCCESS) {
      return;  // of events that never were in Kafka
    }
    journal_->Add(entry);
    return;
  }
  entry.kind = name == "subscribed" ? Journal::Kind::kSubscribed
               : name == "joined"   ? Journal::Kind::kJoined
                                    : Journal::Kind::kCheckpoint;
  simdjson::dom::array told;
  if (root["position"].get(told) != simdjson::SUCCESS) told = {};
  if (entry.kind == Journal::Kind::kSubscribed && told.size() == 0) journal_->Add(entry);
  for (const simdjson::dom::element one : told) {
    if (one["source"].get(source) != simdjson::SUCCESS) continue;
    entry.source = journal_->SourceNumber(source);
    entry.from = 0;
    entry.detail = one["offset"].get(entry.from) == simdjson::SUCCESS ? 0 : Journal::kPending;
    journal_->Add(entry);
  }
}

void Receiver::NoteConnection(const ClientState& client) {
  Return& back = *returns_[client.index];
  journal_->Add({.kind = Journal::Kind::kConnected,
                 .detail = back.again,
                 .client = static_cast<uint32_t>(client.number),
                 .from = back.connections++});
  if (!back.again) return;
  for (size_t place = 0; place < checks_per_client_; ++place) {
    Journal::Entry entry = EntryOf(client, place);
    entry.kind = Journal::Kind::kShown;
    for (const PositionTable::Entry& shown : back.positions.entries(place)) {
      entry.detail = shown.pending ? Journal::kPending : 0;
      entry.source = shown.number;
      entry.from = shown.offset;
      journal_->Add(entry);
    }
  }
}

}  // namespace spillway::load
