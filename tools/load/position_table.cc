#include "tools/load/position_table.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>

#include "absl/strings/str_cat.h"
#include "common/base/json_text.h"

namespace spillway::load {
namespace {

// Of one thread each: parsers keep their memory.
simdjson::dom::parser& Parser() {
  thread_local simdjson::dom::parser parser;
  return parser;
}

bool NumberBehind(std::string_view text, std::string_view name, int64_t* value) {
  const size_t at = text.find(name);
  if (at == std::string_view::npos) return false;
  const char* const begin = text.data() + at + name.size();
  return std::from_chars(begin, text.data() + text.size(), *value).ec == std::errc();
}

}  // namespace

void PositionTable::Disconnect() {
  for (std::vector<Entry>& entries : channels_) {
    for (Entry& entry : entries) entry.slot = UINT32_MAX;
  }
}

PositionTable::Entry* PositionTable::BySlot(std::vector<Entry>* entries, uint32_t slot) {
  const auto found = std::find_if(entries->begin(), entries->end(),
                                  [slot](const Entry& entry) { return entry.slot == slot; });
  return found == entries->end() ? nullptr : &*found;
}

// The number behind the @ is the node's.
PositionTable::Entry* PositionTable::ByPartition(std::vector<Entry>* entries,
                                                 std::string_view source) {
  const std::string_view partition = source.substr(0, source.rfind('@'));
  const auto found = std::find_if(entries->begin(), entries->end(), [&](const Entry& entry) {
    return std::string_view(entry.source).substr(0, entry.source.rfind('@')) == partition;
  });
  return found == entries->end() ? nullptr : &*found;
}

void PositionTable::Name(Entry* entry, std::string_view source) {
  if (entry->source == source) return;
  entry->source = source;
  if (journal_ != nullptr) entry->number = journal_->SourceNumber(source);
}

PositionTable::Place PositionTable::TakeEvent(size_t channel, std::string_view message) {
  // Behind the channel and the type, before the payload; in strings, quotes have a backslash.
  int64_t slot = 0;
  int64_t offset = 0;
  if (!NumberBehind(message, R"(","slot":)", &slot) ||
      !NumberBehind(message, R"(,"offset":)", &offset)) {
    return {};  // ephemeral
  }
  Entry* const entry = BySlot(&channels_[channel], static_cast<uint32_t>(slot));
  if (entry == nullptr) return {.offset = offset};
  entry->offset = entry->pending ? offset : std::max(entry->offset, offset);
  entry->pending = false;
  return {.source = entry->number, .offset = offset};
}

PositionTable::Spoken PositionTable::WhatIsSpokenOf(std::string_view message) {
  Spoken spoken;
  simdjson::dom::element root;
  std::string_view text;
  if (Parser().parse(message.data(), message.size()).get(root) != simdjson::SUCCESS) return spoken;
  // An event of a pattern has both.
  if (root["pattern"].get(text) == simdjson::SUCCESS ||
      root["channel"].get(text) == simdjson::SUCCESS) {
    spoken.channel = std::string(text);
  }
  spoken.gap = root["type"].get(text) == simdjson::SUCCESS && text == "gap";
  return spoken;
}

void PositionTable::TakePositions(size_t channel, std::string_view message) {
  std::vector<Entry>& entries = channels_[channel];
  simdjson::dom::element root;
  if (Parser().parse(message.data(), message.size()).get(root) != simdjson::SUCCESS) return;
  int64_t number = 0;
  if (int64_t to = 0; root["to"].get(to) == simdjson::SUCCESS &&
                      root["slot"].get(number) == simdjson::SUCCESS) {  // a gap
    Entry* const entry = BySlot(&entries, static_cast<uint32_t>(number));
    if (entry != nullptr) {
      entry->offset = entry->pending ? to : std::max(entry->offset, to);
      entry->pending = false;
    }
    return;
  }
  simdjson::dom::array told;
  if (root["position"].get(told) != simdjson::SUCCESS) return;
  // What these say takes the place of what was known.
  std::string_view type;
  const bool anew =
      root["type"].get(type) == simdjson::SUCCESS && (type == "subscribed" || type == "joined");
  for (const simdjson::dom::element one : told) {
    std::string_view source;
    if (one["source"].get(source) != simdjson::SUCCESS) continue;
    Entry* entry = ByPartition(&entries, source);
    if (entry == nullptr) entry = &entries.emplace_back();
    Name(entry, source);
    if (one["slot"].get(number) == simdjson::SUCCESS) entry->slot = static_cast<uint32_t>(number);
    int64_t offset = 0;
    if (one["offset"].get(offset) != simdjson::SUCCESS) continue;  // pending
    if (!anew && !entry->pending && offset < entry->offset) continue;
    entry->offset = offset;
    entry->pending = false;
    if (one["fp"].get(number) == simdjson::SUCCESS) {
      entry->proven = true;
      entry->fp = static_cast<uint32_t>(number);
      entry->fp_offset = offset;
      if (one["fp_offset"].get(number) == simdjson::SUCCESS) entry->fp_offset = number;
    } else if (anew) {
      entry->proven = false;
    }
  }
}

void PositionTable::Append(size_t channel, std::string* out) const {
  out->push_back('[');
  for (const Entry& entry : channels_[channel]) {
    if (out->back() != '[') out->push_back(',');
    *out += R"({"source":)";
    AppendJsonString(out, entry.source);
    if (entry.pending) {
      *out += R"(,"pending":true})";
      continue;
    }
    absl::StrAppend(out, ",\"offset\":", entry.offset);
    if (entry.proven)
      absl::StrAppend(out, ",\"fp\":", entry.fp, ",\"fp_offset\":", entry.fp_offset);
    out->push_back('}');
  }
  out->push_back(']');
}

}  // namespace spillway::load
