#include "services/edge/ws/handshake.h"

#include <gtest/gtest.h>

namespace spillway::edge::ws {
namespace {

http::Request Good() {
  http::Request request;
  request.method = "GET";
  request.path = "/";
  request.headers = {{"upgrade", "WebSocket"},
                     {"connection", "keep-alive, Upgrade"},
                     {"sec-websocket-version", "13"},
                     {"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="}};
  return request;
}

int StatusWith(std::string_view name, std::string_view value) {
  http::Request request = Good();
  for (auto& header : request.headers) {
    if (header.first == name) header.second = value;
  }
  const auto refusal = CheckUpgrade(request, true);
  return refusal ? refusal->status : 101;
}

TEST(HandshakeTest, AcceptsAGoodRequest) {
  EXPECT_TRUE(IsUpgradeRequest(Good()));
  EXPECT_FALSE(CheckUpgrade(Good(), true));
  EXPECT_FALSE(IsUpgradeRequest(http::Request()));
}

TEST(HandshakeTest, RefusesEachDefectWithItsOwnError) {
  EXPECT_EQ(StatusWith("connection", "keep-alive"), 400);
  EXPECT_EQ(StatusWith("sec-websocket-key", ""), 400);
  EXPECT_EQ(StatusWith("sec-websocket-key", "not base64!!"), 400);
  EXPECT_EQ(StatusWith("sec-websocket-key", "c2hvcnQ="), 400);
  EXPECT_EQ(StatusWith("sec-websocket-version", "8"), 426);
  EXPECT_EQ(StatusWith("sec-websocket-version", ""), 426);
  http::Request request = Good();
  request.method = "POST";
  EXPECT_EQ(CheckUpgrade(request, true)->status, 405);
  EXPECT_EQ(CheckUpgrade(Good(), false)->status, 400);
}

TEST(HandshakeTest, VersionErrorsSayWhichIsSpoken) {
  http::Request request = Good();
  request.headers[2].second = "8";
  const auto refusal = CheckUpgrade(request, true);
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->headers[0],
            (std::pair<std::string, std::string>("Sec-WebSocket-Version", "13")));
  EXPECT_EQ(refusal->content_type, "application/json");
  EXPECT_EQ(
      refusal->body,
      R"({"error":{"code":"websocket_version","message":"the header Sec-WebSocket-Version must be 13"}})");
}

TEST(HandshakeTest, AnswersTheExampleOfTheRfc) {
  EXPECT_EQ(AcceptKey("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  EXPECT_EQ(SwitchingProtocols("dGhlIHNhbXBsZSBub25jZQ==", "chat", "", DeflateAgreement{}),
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n"
            "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
            "client_no_context_takeover\r\n\r\n");
}

TEST(HandshakeTest, GivesTheCorrelationIdBack) {
  EXPECT_TRUE(SwitchingProtocols("key", "", "abc", std::nullopt)
                  .ends_with("\r\nx-correlation-id: abc\r\n\r\n"));
}

}  // namespace
}  // namespace spillway::edge::ws
