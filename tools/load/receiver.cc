#include "tools/load/receiver.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/strings.h"

namespace spillway::load {

Receiver::Receiver(const ClientOptions& options, const Dialect& dialect, RunState& run,
                   WorkerState& counters, size_t clients, Journal* journal)
    : options_(options),
      dialect_(dialect),
      event_prefix_(dialect.event_prefix()),
      lines_(dialect.lines()),
      run_(run),
      counters_(counters),
      journal_(journal) {
  for (const StreamOptions& stream : options.streams) {
    shapes_.push_back({stream.channels, stream.per_client, checks_per_client_,
                       stream.via != Via::kNone, stream.spread > 1});
    checks_per_client_ += stream.per_client;
  }
  checks_.resize(clients * checks_per_client_);
  told_.resize(checks_.size());
  if (options.resume) returns_.resize(clients);
  first_channels_.resize(clients * shapes_.size());
  if (options.deflate == DeflateMode::kInflate) inflate_ = std::make_unique<InflateCache>();
}

void Receiver::Begin(ClientState* client, uint64_t number, uint32_t index, bool from_start) {
  *client = ClientState{};
  client->number = number;
  client->index = index;
  client->slow = options_.is_slow(number);
  client->from_start = from_start;
  if (!returns_.empty()) {
    std::unique_ptr<Return>& back = returns_[index];
    if (back != nullptr && back->ready) {
      client->from_start = back->from_start;
      back->again = true;
      back->positions.Disconnect();
      return;
    }
    back = std::make_unique<Return>(checks_per_client_, journal_);
    back->from_start = from_start;
  }
  for (size_t s = 0; s < shapes_.size(); ++s) {
    first_channels_[index * shapes_.size() + s] = options_.streams[s].ChannelOf(number, 0);
    for (size_t j = 0; j < shapes_[s].per_client; ++j) {
      SequenceCheck& check = checks_[index * checks_per_client_ + shapes_[s].offset + j];
      check = SequenceCheck{};
      told_[index * checks_per_client_ + shapes_[s].offset + j] = 0;
      if (from_start && shapes_[s].published) check.Expect(1);
    }
  }
}

std::vector<std::string> Receiver::ChannelsOf(uint64_t number) const {
  std::vector<std::string> channels;
  for (const StreamOptions& stream : options_.streams) {
    for (uint32_t j = 0; j < stream.per_client; ++j) {
      channels.push_back(Replaced(stream.channel, "n", absl::StrCat(stream.ChannelOf(number, j))));
      if (options_.has_patterns(number)) channels.back().replace(0, 1, "*");
    }
  }
  return channels;
}

int64_t Receiver::Take(ClientState* client, std::string_view bytes, int64_t now_ns,
                       std::string* out) {
  size_t used = 0;
  if (!client->open && !TakeAnswer(client, bytes, now_ns, &used, out)) return -1;
  if (!client->open) return 0;
  count_from_ns_ = run_.count_from_ns().load(std::memory_order_relaxed);
  count_to_ns_ = run_.count_to_ns().load(std::memory_order_relaxed);
  events_ = 0;
  latency_sum_ns_ = 0;
  bool alive = true;
  while (alive) {
    const ServerFrame frame = ReadServerFrame(bytes.data() + used, bytes.size() - used);
    if (frame.status == ServerFrame::Status::kIncomplete) break;
    if (frame.status == ServerFrame::Status::kMalformed) {
      counters_.Problem("a malformed frame");
      alive = false;
      break;
    }
    used += frame.size;
    alive = TakeFrame(client, frame, now_ns, out);
  }
  if (events_ > 0) {
    counters_.events.Add(events_);
    counters_.latency_sum_ns.Add(latency_sum_ns_);
    counters_.last_event_ns.store(now_ns, std::memory_order_relaxed);
  }
  return alive ? static_cast<int64_t>(used) : -1;
}

bool Receiver::TakeAnswer(ClientState* client, std::string_view bytes, int64_t now_ns, size_t* used,
                          std::string* out) {
  const UpgradeAnswer answer = ReadUpgradeAnswer(bytes);
  switch (answer.status) {
    case UpgradeAnswer::Status::kIncomplete:
      return bytes.size() < 64 * 1024;
    case UpgradeAnswer::Status::kRefused:
      counters_.refused.Add(1);
      counters_.Problem(absl::StrCat("refused: ", Abs(bytes)));
      return false;
    case UpgradeAnswer::Status::kUnusable:
      counters_.refused.Add(1);
      counters_.Problem("the server did not agree to server_no_context_takeover");
      return false;
    case UpgradeAnswer::Status::kAccepted:
      break;
  }
  *used = answer.size;
  client->open = true;
  client->deflate = answer.deflate;
  counters_.upgraded.Add(1);
  const std::vector<std::string> channels = ChannelsOf(client->number);
  const bool again = !returns_.empty() && returns_[client->index]->again;
  if (journal_ != nullptr) NoteConnection(*client);
  for (const std::string& message :
       again ? dialect_.Hello(channels, returns_[client->index]->positions)
             : dialect_.Hello(channels)) {
    AppendText(message, out);
  }
  client->waiting_for = static_cast<uint32_t>(dialect_.answers(channels.size()));
  if (client->waiting_for == 0 && !dialect_.greets()) BecomeReady(client, now_ns);
  return true;
}

bool Receiver::TakeFrame(ClientState* client, const ServerFrame& frame, int64_t now_ns,
                         std::string* out) {
  if ((frame.opcode & 0x8) != 0) return TakeControl(frame, out);
  std::string_view text = frame.payload;
  if (frame.compressed) {
    if (inflate_ == nullptr) {
      counters_.opaque.Add(1);
      ++events_;
      return true;
    }
    const auto inflated = inflate_->Inflate(text);
    if (!inflated) {
      counters_.Problem("a compressed message that cannot be inflated");
      return false;
    }
    text = *inflated;
  }
  if (!lines_) {
    TakeMessage(client, text, now_ns, out);
    return true;
  }
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    if (end > 0) TakeMessage(client, text.substr(0, end), now_ns, out);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return true;
}

bool Receiver::TakeControl(const ServerFrame& frame, std::string* out) {
  switch (static_cast<WsOpcode>(frame.opcode)) {
    case WsOpcode::kPing:
      AppendMaskedFrame(WsOpcode::kPong, frame.payload, mask_, out);
      return true;
    case WsOpcode::kClose: {
      const std::string_view text = frame.payload;
      uint16_t code = 1005;  // RFC 6455, section 7.1.5: the frame had none
      if (text.size() >= 2) {
        code = static_cast<uint16_t>(static_cast<uint8_t>(text[0]) << 8 |
                                     static_cast<uint8_t>(text[1]));
      }
      counters_.ClosedWith(code);
      counters_.Problem(absl::StrCat("closed by the server with ", code, ": ",
                                     Abs(text.substr(std::min<size_t>(2, text.size())))));
      return false;
    }
    default:
      return true;
  }
}

void Receiver::TakeMessage(ClientState* client, std::string_view text, int64_t now_ns,
                           std::string* out) {
  Stamp stamp;
  if (text.starts_with(event_prefix_) && finder_.Find(text, &stamp)) [[likely]] {
    TakeEvent(*client, stamp, text, now_ns);
  } else if (!returns_.empty() && text.starts_with(event_prefix_)) {
    TakeUnstamped(*client, text);
  } else {
    TakeOther(client, text, now_ns, out);
  }
}

void Receiver::TakeEvent(const ClientState& client, const Stamp& stamp, std::string_view text,
                         int64_t now_ns) {
  ++events_;
  if (stamp.stream >= shapes_.size()) {
    counters_.strange.Add(1);
    return;
  }
  const Shape& shape = shapes_[stamp.stream];
  const uint32_t first = first_channels_[client.index * shapes_.size() + stamp.stream];
  const uint32_t place =
      stamp.channel >= first ? stamp.channel - first : stamp.channel + shape.channels - first;
  if (place >= shape.per_client) {
    counters_.strange.Add(1);
    return;
  }
  const size_t at = client.index * checks_per_client_ + shape.offset + place;
  if (shape.spread) {
    checks_[at].Count(stamp.sequence, &counters_.sequence);
  } else {
    checks_[at].Take(stamp.sequence, told_[at] != 0, &counters_.sequence);
  }
  told_[at] = 0;
  if (!returns_.empty()) {
    Return& back = *returns_[client.index];
    NoteEvent(client, shape.offset + place, stamp, text);
    if (back.behind > 0) {
      uint32_t& target = back.targets[shape.offset + place];
      if (target != 0 && stamp.sequence >= target) {
        target = 0;
        if (--back.behind == 0) EndOfRecovery(client, now_ns);
      }
    }
  }
  if (stamp.due_ns < count_from_ns_ || stamp.due_ns >= count_to_ns_) return;
  const int64_t latency = std::max<int64_t>(0, now_ns - stamp.due_ns);
  latency_sum_ns_ += static_cast<uint64_t>(latency);
  (client.slow ? counters_.slow_latency : counters_.latency[stamp.stream]).Record(latency);
}

void Receiver::TakeOther(ClientState* client, std::string_view text, int64_t now_ns,
                         std::string* out) {
  const Dialect::Kind kind = dialect_.Classify(text);
  switch (kind) {
    case Dialect::Kind::kPosition:
      TakePosition(*client, kind, text);
      break;
    case Dialect::Kind::kSubscribed:
      counters_.subscribed.Add(1);
      TakePosition(*client, kind, text);
      if (client->waiting_for > 0 && --client->waiting_for == 0) BecomeReady(client, now_ns);
      break;
    case Dialect::Kind::kConnected:
      if (client->waiting_for == 0 && dialect_.greets()) BecomeReady(client, now_ns);
      break;
    case Dialect::Kind::kGap:
      counters_.told_gaps.Add(1);
      TakePosition(*client, kind, text);
      break;
    case Dialect::Kind::kPing:
      AppendText(dialect_.pong(), out);
      break;
    case Dialect::Kind::kError:
      counters_.errors.Add(1);
      counters_.Problem(text);
      break;
    case Dialect::Kind::kOther:
      break;
  }
}

void Receiver::BecomeReady(ClientState* client, int64_t now_ns) {
  if (client->ready) return;
  client->ready = true;
  counters_.ready.Add(1);
  counters_.connect.Record(now_ns - client->began_ns);
  if (returns_.empty()) return;
  Return& back = *returns_[client->index];
  back.ready = true;
  if (back.again) BeginToRecover(*client, now_ns);
}

void Receiver::TakePosition(const ClientState& client, Dialect::Kind kind, std::string_view text) {
  if (returns_.empty() && kind != Dialect::Kind::kGap) return;
  const PositionTable::Spoken spoken = PositionTable::WhatIsSpokenOf(text);
  const size_t place = PlaceOf(client, spoken.channel);
  if (place == checks_per_client_) return;
  if (spoken.gap) told_[client.index * checks_per_client_ + place] = 1;
  if (returns_.empty()) return;
  returns_[client.index]->positions.TakePositions(place, text);
  if (journal_ != nullptr) NotePositions(EntryOf(client, place), text);
}

void Receiver::BeginToRecover(const ClientState& client, int64_t now_ns) {
  Return& back = *returns_[client.index];
  counters_.resumed.Add(1);
  counters_.first_resume_ns = std::min(counters_.first_resume_ns, client.began_ns);
  back.targets.assign(checks_per_client_, 0);
  back.behind = 0;
  for (size_t s = 0; s < shapes_.size(); ++s) {
    if (!shapes_[s].published) continue;
    for (uint32_t j = 0; j < shapes_[s].per_client; ++j) {
      const uint32_t last = run_.last_number(s, options_.streams[s].ChannelOf(client.number, j))
                                .load(std::memory_order_relaxed);
      const SequenceCheck& check =
          checks_[client.index * checks_per_client_ + shapes_[s].offset + j];
      if (last == 0 || (check.started() && check.last() >= last)) continue;
      back.targets[shapes_[s].offset + j] = last;
      ++back.behind;
    }
  }
  if (back.behind == 0) EndOfRecovery(client, now_ns);
}

void Receiver::EndOfRecovery(const ClientState& client, int64_t now_ns) {
  counters_.recovered.Add(1);
  counters_.recovery.Record(now_ns - client.began_ns);
  counters_.last_recovery_ns = now_ns;
}

void Receiver::Check(const ClientState& client) {
  if (journal_ != nullptr) {
    journal_->Add({.kind = Journal::Kind::kEnd,
                   .detail = client.ready,
                   .client = static_cast<uint32_t>(client.number)});
  }
  if (!client.ready) return;
  for (size_t s = 0; s < shapes_.size(); ++s) {
    if (!shapes_[s].published) continue;
    for (uint32_t j = 0; j < shapes_[s].per_client; ++j) {
      const SequenceCheck& check =
          checks_[client.index * checks_per_client_ + shapes_[s].offset + j];
      const uint32_t last = run_.last_number(s, options_.streams[s].ChannelOf(client.number, j))
                                .load(std::memory_order_relaxed);
      if (client.from_start) counters_.expected += last;
      if (!check.started() || last <= check.last()) continue;
      const bool told = told_[client.index * checks_per_client_ + shapes_[s].offset + j] != 0;
      (told ? counters_.tail_told : counters_.tail_lost) += last - check.last();
    }
  }
}

void Receiver::AppendText(std::string_view text, std::string* out) {
  mask_ = mask_ * 1664525 + 1013904223;
  AppendMaskedFrame(WsOpcode::kText, text, mask_, out);
}

}  // namespace spillway::load
