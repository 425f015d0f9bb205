#include "tools/load/client.h"

#include <functional>

namespace spillway::load {

bool Client::OnBytes(std::string_view bytes, std::string_view subscribe, int64_t now_ns,
                     Measurement* measurement) {
  if (state == State::kUpgrading && !OnHandshake(&bytes, subscribe, &measurement->counters)) {
    return false;
  }
  if (state != State::kOpen) return true;
  bool open = true;
  const bool understood = frames_.Feed(bytes, [&](WsOpcode opcode, std::string_view payload) {
    open = OnMessage(opcode, payload, now_ns, measurement) && open;
  });
  if (!understood && measurement->counters.first_problem.empty()) {
    measurement->counters.first_problem = "a malformed frame";
  }
  return understood && open;
}

bool Client::OnHandshake(std::string_view* bytes, std::string_view subscribe,
                         SwarmCounters* counters) {
  constexpr std::string_view kEnd = "\r\n\r\n";
  handshake_.append(*bytes);
  const size_t end = handshake_.find(kEnd);
  if (end == std::string::npos) {
    *bytes = {};
    return handshake_.size() < 64 * 1024;
  }
  if (!handshake_.starts_with("HTTP/1.1 101 ")) {
    ++counters->refused;
    if (counters->first_problem.empty()) counters->first_problem = handshake_.substr(0, 300);
    return false;
  }
  ++counters->upgraded;
  // What came behind the answer is the end of what came last.
  bytes->remove_prefix(bytes->size() - (handshake_.size() - end - kEnd.size()));
  std::string().swap(handshake_);
  state = State::kOpen;
  if (!subscribe.empty()) SendText(subscribe);
  return true;
}

bool Client::OnMessage(WsOpcode opcode, std::string_view payload, int64_t now_ns,
                       Measurement* measurement) {
  SwarmCounters& counters = measurement->counters;
  if (opcode == WsOpcode::kPing) AppendMaskedFrame(WsOpcode::kPong, payload, mask_, &output);
  if (opcode == WsOpcode::kClose) {
    if (counters.first_problem.empty()) {
      counters.first_problem = "closed by the server: " + std::string(payload.substr(0, 200));
    }
    return false;
  }
  if (opcode != WsOpcode::kText) return true;
  const ServerMessage message = ReadServerMessage(payload);
  switch (message.kind) {
    case ServerMessage::Kind::kEvent:
      OnEvent(message, now_ns, measurement);
      break;
    case ServerMessage::Kind::kSubscribed:
      ++counters.subscribed;
      break;
    case ServerMessage::Kind::kGap:
      ++counters.gaps;
      break;
    case ServerMessage::Kind::kPing:
      SendText(R"({"type":"pong"})");
      break;
    case ServerMessage::Kind::kError:
      ++counters.errors;
      if (counters.first_problem.empty()) {
        counters.first_problem = std::string(payload.substr(0, 300));
      }
      break;
    case ServerMessage::Kind::kConnected:
    case ServerMessage::Kind::kOther:
      break;
  }
  return true;
}

void Client::OnEvent(const ServerMessage& message, int64_t now_ns, Measurement* measurement) {
  SwarmCounters& counters = measurement->counters;
  ++counters.events;
  counters.last_event_ns = now_ns;
  const uint64_t channel = std::hash<std::string_view>()(message.channel);
  bool known = false;
  for (Seen& seen : seen_) {
    if (seen.channel != channel || seen.slot != message.slot) continue;
    known = true;
    if (message.offset <= seen.offset) {
      ++counters.duplicates;
    } else {
      seen.offset = message.offset;
    }
    break;
  }
  if (!known) seen_.push_back({channel, message.slot, message.offset});
  if (message.due_ns >= measurement->count_due_from_ns) {
    measurement->latency.Record(now_ns - message.due_ns);
  }
}

void Client::SendText(std::string_view text) {
  mask_ = mask_ * 1664525 + 1013904223;  // masks need not be secret here
  AppendMaskedFrame(WsOpcode::kText, text, mask_, &output);
}

}  // namespace spillway::load
