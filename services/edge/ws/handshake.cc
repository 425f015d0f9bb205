#include "services/edge/ws/handshake.h"

#include <openssl/sha.h>

#include "absl/strings/escaping.h"
#include "common/base/correlation_id.h"
#include "services/edge/ws/tokens.h"

namespace spillway::edge::ws {
namespace {

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
constexpr std::string_view kVersion = "13";

bool HasToken(const http::Request& request, std::string_view header, std::string_view token) {
  for (const auto& [name, value] : request.headers) {
    if (name != header) continue;
    std::string_view rest = value;
    for (std::string_view piece; NextPiece(&rest, ',', &piece);) {
      if (EqualsIgnoreCase(piece, token)) return true;
    }
  }
  return false;
}

size_t Count(const http::Request& request, std::string_view header) {
  size_t count = 0;
  for (const auto& [name, value] : request.headers) count += name == header;
  return count;
}

}  // namespace

http::Response JsonError(int status, std::string_view code, std::string_view message) {
  http::Response response;
  response.status = status;
  response.content_type = "application/json";
  response.body.append("{\"error\":{\"code\":\"").append(code);
  response.body.append("\",\"message\":\"").append(message).append("\"}}");
  return response;
}

bool IsUpgradeRequest(const http::Request& request) {
  return HasToken(request, "upgrade", "websocket");
}

std::optional<http::Response> CheckUpgrade(const http::Request& request, bool http11) {
  if (request.method != "GET") {
    http::Response response =
        JsonError(405, "method_not_allowed", "a WebSocket is opened with the method GET");
    response.headers.emplace_back("Allow", "GET");
    return response;
  }
  if (!http11) {
    return JsonError(400, "http_version", "a WebSocket is opened over HTTP/1.1");
  }
  if (!HasToken(request, "connection", "upgrade")) {
    return JsonError(
        400, "connection_header",
        "the header Connection must contain Upgrade; is a proxy in the way set up for WebSockets?");
  }
  if (Count(request, "sec-websocket-version") != 1 ||
      Trim(request.Header("sec-websocket-version")) != kVersion) {
    http::Response response =
        JsonError(426, "websocket_version", "the header Sec-WebSocket-Version must be 13");
    response.headers.emplace_back("Sec-WebSocket-Version", kVersion);
    response.headers.emplace_back("Upgrade", "websocket");
    return response;
  }
  std::string nonce;
  if (Count(request, "sec-websocket-key") != 1 ||
      !absl::Base64Unescape(std::string(Trim(request.Header("sec-websocket-key"))), &nonce) ||
      nonce.size() != 16) {
    return JsonError(400, "websocket_key",
                     "the header Sec-WebSocket-Key must be 16 bytes in base64");
  }
  return std::nullopt;
}

std::string AcceptKey(std::string_view key) {
  std::string input(Trim(key));
  input += kGuid;
  unsigned char digest[SHA_DIGEST_LENGTH];
  SHA1(reinterpret_cast<const unsigned char*>(input.data()), input.size(), digest);
  return absl::Base64Escape({reinterpret_cast<const char*>(digest), sizeof digest});
}

std::string SwitchingProtocols(std::string_view key, std::string_view subprotocol,
                               std::string_view correlation_id,
                               const std::optional<DeflateAgreement>& deflate) {
  std::string answer =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
  answer.append("Sec-WebSocket-Accept: ").append(AcceptKey(key)).append("\r\n");
  if (!subprotocol.empty()) {
    answer.append("Sec-WebSocket-Protocol: ").append(subprotocol).append("\r\n");
  }
  if (!correlation_id.empty()) {
    answer.append(kCorrelationHeader).append(": ").append(correlation_id).append("\r\n");
  }
  if (deflate) {
    answer.append("Sec-WebSocket-Extensions: ").append(DeflateAnswer(*deflate)).append("\r\n");
  }
  return answer.append("\r\n");
}

}  // namespace spillway::edge::ws
