#include "services/edge/net/request_parser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>

#include "services/edge/net/response_text.h"

namespace spillway::edge::net {
namespace {

using Result = RequestParser::Result;

constexpr RequestParser::Limits kLimits{.header_bytes = 256, .body_bytes = 16};

// Gives `text` in pieces of `piece` bytes; what is left over is put in `rest`.
Result Feed(RequestParser& parser, const std::string& text, size_t piece, std::string* rest) {
  std::string held;
  for (size_t at = 0; at < text.size(); at += piece) {
    held += text.substr(at, piece);
    size_t consumed = 0;
    const Result result = parser.Feed(held.data(), held.size(), &consumed);
    held.erase(0, consumed);
    *rest = held + text.substr(std::min(text.size(), at + piece));
    if (result != Result::kMore) return result;
  }
  return Result::kMore;
}

TEST(RequestParserTest, ReadsARequestInPiecesOfAnySize) {
  const std::string text =
      "POST /a%20b?x=1&y=2+3 HTTP/1.1\r\nHost: h\r\nX-Two:  some value \r\n"
      "Content-Length: 5\r\n\r\nhelloGET /next";
  for (const size_t piece : {1u, 2u, 7u, 1000u}) {
    RequestParser parser(kLimits);
    std::string rest;
    ASSERT_EQ(Feed(parser, text, piece, &rest), Result::kDone) << piece;
    EXPECT_EQ(parser.request().method, "POST");
    EXPECT_EQ(parser.request().path, "/a b");
    EXPECT_EQ(parser.request().Query("y"), "2 3");
    EXPECT_EQ(parser.request().Header("x-two"), "some value");
    EXPECT_EQ(parser.request().body, "hello");
    EXPECT_EQ(rest, "GET /next");
    EXPECT_TRUE(parser.http11());
    EXPECT_TRUE(parser.keep_alive());
  }
}

TEST(RequestParserTest, ReadsChunkedBodies) {
  RequestParser parser(kLimits);
  std::string rest;
  EXPECT_EQ(Feed(parser,
                 "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n"
                 "\r\n",
                 1, &rest),
            Result::kDone);
  EXPECT_EQ(parser.request().body, "abcde");
}

TEST(RequestParserTest, ABodyOfNoChunksMayComeInPieces) {
  for (const size_t piece : {1u, 2u, 3u, 4u, 50u}) {
    RequestParser parser(kLimits);
    std::string rest;
    EXPECT_EQ(Feed(parser, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", piece,
                   &rest),
              Result::kDone)
        << piece;
  }
}

TEST(RequestParserTest, SaysWhetherAnotherRequestMayFollow) {
  for (const auto& [text, http11, keep_alive] :
       {std::tuple{"GET / HTTP/1.0\r\n\r\n", false, false},
        std::tuple{"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", true, false}}) {
    RequestParser parser(kLimits);
    std::string rest;
    ASSERT_EQ(Feed(parser, text, 100, &rest), Result::kDone);
    EXPECT_EQ(parser.http11(), http11);
    EXPECT_EQ(parser.keep_alive(), keep_alive);
  }
}

TEST(RequestParserTest, NamesWhatIsWrong) {
  const std::string large(300, 'x');
  for (const auto& [text, result] :
       {std::pair{"rubbish\r\n\r\n" + std::string(), Result::kBad},
        std::pair{"GET / HTTP/1.1\r\nA B: c\r\n\r\n" + std::string(), Result::kBad},
        std::pair{
            "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx" + std::string(),
            Result::kBad},
        std::pair{"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx" +
                      std::string(),
                  Result::kBad},
        std::pair{"GET / HTTP/1.1\r\nA: " + large + "\r\n\r\n", Result::kHeaderLimit},
        std::pair{"GET / HTTP/1.1\r\nA: " + large, Result::kHeaderLimit},
        std::pair{"POST / HTTP/1.1\r\nContent-Length: 17\r\n\r\n" + std::string(),
                  Result::kBodyLimit},
        std::pair{"GET http://x/ HTTP/1.1\r\n\r\n" + std::string(), Result::kBadTarget},
        std::pair{"GET /%zz HTTP/1.1\r\n\r\n" + std::string(), Result::kBadTarget}}) {
    RequestParser parser(kLimits);
    std::string rest;
    EXPECT_EQ(Feed(parser, text, 1000, &rest), result) << text;
  }
}

TEST(ResponseTextTest, SaysWhatIsSent) {
  http::Response response;
  response.status = 426;
  response.content_type = "application/json";
  response.headers.emplace_back("Upgrade", "websocket");
  response.body = "{}";
  EXPECT_EQ(ResponseText(response, false, false),
            "HTTP/1.1 426 Upgrade Required\r\nContent-Type: application/json\r\n"
            "Upgrade: websocket\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}");
  EXPECT_EQ(ResponseText(response, true, true),
            "HTTP/1.1 426 Upgrade Required\r\nContent-Type: application/json\r\n"
            "Upgrade: websocket\r\nContent-Length: 2\r\n\r\n");
}

}  // namespace
}  // namespace spillway::edge::net
