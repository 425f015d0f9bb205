// What comes before a WebSocket: a request in pieces of any size, and all that is read in one.

#include <string>

#include "common/http/path_template.h"
#include "fuzz/input.h"
#include "services/edge/net/request_parser.h"
#include "services/edge/net/trusted_proxies.h"
#include "services/edge/session/origin_list.h"
#include "services/edge/session/token_source.h"
#include "services/edge/ws/extension.h"
#include "services/edge/ws/handshake.h"

namespace edge = spillway::edge;
using edge::net::RequestParser;
using spillway::fuzz::Require;

namespace {

RequestParser::Result FeedAll(RequestParser* parser, std::string_view bytes, size_t piece) {
  std::string held;
  for (size_t at = 0; at < bytes.size(); at += piece) {
    held += bytes.substr(at, piece);
    size_t consumed = 0;
    const auto result = parser->Feed(held.data(), held.size(), &consumed);
    Require(consumed <= held.size(), "no more is consumed than there is");
    held.erase(0, consumed);
    if (result != RequestParser::Result::kMore) return result;
  }
  return RequestParser::Result::kMore;
}

void Use(const spillway::http::Request& request, bool http11) {
  static const auto proxies = *edge::net::TrustedProxies::Parse({"10.0.0.0/8", "::1"});
  static const auto origins =
      *edge::OriginList::Compile({"https://app.example.com", "https://*.example.com", "null"});
  static const auto path = *spillway::http::PathTemplate::Parse("/ws/trading/{user_id}");
  edge::AuthOptions auth;
  auth.cookie = "session";
  edge::TokenOf(auth, request);
  edge::OffersSubprotocol(request, "json.v1");
  origins.Allows(request);
  path.Match(request.path);
  proxies.ClientOf("10.0.0.1", request);
  if (!edge::ws::IsUpgradeRequest(request)) return;
  if (edge::ws::CheckUpgrade(request, http11).has_value()) return;
  const auto deflate = edge::ws::NegotiateDeflate(request.Header("sec-websocket-extensions"));
  const std::string answer = edge::ws::SwitchingProtocols(request.Header("sec-websocket-key"),
                                                          "json.v1", "a-correlation-id", deflate);
  Require(answer.find("\r\n\r\n") == answer.size() - 4, "an answer is one header");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  spillway::fuzz::Input input(data, size);
  const size_t piece = 1 + input.TakeByte() % 64;
  const std::string_view bytes = input.TakeRest();
  constexpr RequestParser::Limits kLimits{.header_bytes = 4096, .body_bytes = 1024};
  RequestParser whole(kLimits);
  RequestParser pieces(kLimits);
  const auto result = FeedAll(&whole, bytes, bytes.size() + 1);
  const auto by_piece = FeedAll(&pieces, bytes, piece);
  const bool done = result == RequestParser::Result::kDone;
  // Of what is refused the reason may differ: which limit is met first.
  if (done) Require(by_piece == RequestParser::Result::kDone, "pieces make the same request");
  if (!done) return 0;
  Require(whole.request().path == pieces.request().path &&
              whole.request().headers == pieces.request().headers,
          "the same in pieces");
  Use(whole.request(), whole.http11());
  return 0;
}
