#include "tools/load/client_codec.h"

#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/strings.h"

namespace spillway::load {

std::string UpgradeRequest(std::string_view host, std::string_view path, bool deflate) {
  return absl::StrCat("GET ", Abs(path), " HTTP/1.1\r\nHost: ", Abs(host),
                      "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13"
                      "\r\nSec-WebSocket-Key: c3BpbGx3YXktbG9hZC10bw==\r\n",
                      deflate ? "Sec-WebSocket-Extensions: permessage-deflate; "
                                "server_no_context_takeover; client_no_context_takeover\r\n"
                              : "",
                      "\r\n");
}

UpgradeAnswer ReadUpgradeAnswer(std::string_view bytes) {
  constexpr std::string_view kEnd = "\r\n\r\n";
  constexpr std::string_view kAccepted = "HTTP/1.1 101 ";
  constexpr std::string_view kExtensions = "sec-websocket-extensions:";
  UpgradeAnswer answer;
  const size_t end = bytes.find(kEnd);
  if (end == std::string_view::npos) return answer;
  answer.size = end + kEnd.size();
  answer.status = UpgradeAnswer::Status::kRefused;
  if (!bytes.starts_with(kAccepted)) return answer;
  answer.status = UpgradeAnswer::Status::kAccepted;
  for (const absl::string_view line : absl::StrSplit(Abs(bytes.substr(0, end)), "\r\n")) {
    if (!absl::StartsWithIgnoreCase(line, Abs(kExtensions))) continue;
    answer.deflate = absl::StrContains(line, "permessage-deflate");
    if (answer.deflate && !absl::StrContains(line, "server_no_context_takeover")) {
      answer.status = UpgradeAnswer::Status::kUnusable;
    }
  }
  return answer;
}

void AppendMaskedFrame(WsOpcode opcode, std::string_view payload, uint32_t mask, std::string* out) {
  out->push_back(static_cast<char>(0x80 | static_cast<uint8_t>(opcode)));
  const size_t size = payload.size();
  int length_bytes = 0;
  if (size < 126) {
    out->push_back(static_cast<char>(0x80 | size));
  } else if (size <= 0xFFFF) {
    out->push_back(static_cast<char>(0x80 | 126));
    length_bytes = 2;
  } else {
    out->push_back(static_cast<char>(0x80 | 127));
    length_bytes = 8;
  }
  for (int i = length_bytes - 1; i >= 0; --i) out->push_back(static_cast<char>(size >> (8 * i)));
  std::array<char, 4> key;
  for (size_t i = 0; i < key.size(); ++i) key[i] = static_cast<char>(mask >> (8 * i));
  out->append(key.data(), key.size());
  for (size_t i = 0; i < size; ++i) out->push_back(static_cast<char>(payload[i] ^ key[i % 4]));
}

}  // namespace spillway::load
