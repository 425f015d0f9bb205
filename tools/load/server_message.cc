#include "tools/load/server_message.h"

#include <charconv>

namespace spillway::load {
namespace {

constexpr std::string_view kTypeMember = "{\"type\":\"";

// Moves `text` behind `member`; false if it does not have it.
bool SkipTo(std::string_view member, std::string_view* text) {
  const size_t at = text->find(member);
  if (at == std::string_view::npos) return false;
  text->remove_prefix(at + member.size());
  return true;
}

int64_t NumberAt(std::string_view text) {
  int64_t number = -1;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

ServerMessage ReadServerMessage(std::string_view text) {
  ServerMessage message;
  if (!text.starts_with(kTypeMember)) return message;
  text.remove_prefix(kTypeMember.size());
  const std::string_view type = text.substr(0, text.find('"'));
  if (type == "event") {
    message.kind = ServerMessage::Kind::kEvent;
    if (SkipTo("\"channel\":\"", &text)) message.channel = text.substr(0, text.find('"'));
    if (SkipTo("\"slot\":", &text)) message.slot = NumberAt(text);
    if (SkipTo("\"offset\":", &text)) message.offset = NumberAt(text);
    if (SkipTo("\"data\":", &text) && SkipTo(kDueMember, &text)) message.due_ns = NumberAt(text);
  } else if (type == "subscribed") {
    message.kind = ServerMessage::Kind::kSubscribed;
  } else if (type == "connected") {
    message.kind = ServerMessage::Kind::kConnected;
  } else if (type == "gap") {
    message.kind = ServerMessage::Kind::kGap;
  } else if (type == "ping") {
    message.kind = ServerMessage::Kind::kPing;
  } else if (type == "error") {
    message.kind = ServerMessage::Kind::kError;
  }
  return message;
}

}  // namespace spillway::load
