#include "services/edge/session/token_source.h"

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/strings.h"

namespace spillway::edge {
namespace {

constexpr std::string_view kSubprotocols = "sec-websocket-protocol";

// The first piece of all headers of a name, between separators, that `take` finds something in.
template <typename Take>
std::string_view FindPiece(const http::Request& request, std::string_view header, char separator,
                           Take take) {
  for (const auto& [name, value] : request.headers) {
    if (name != header) continue;
    for (const absl::string_view piece : absl::StrSplit(value, separator)) {
      const std::string_view found = take(Std(absl::StripAsciiWhitespace(piece)));
      if (!found.empty()) return found;
    }
  }
  return {};
}

std::string_view OfHeader(const std::string& header, const http::Request& request) {
  absl::string_view token = Abs(request.Header(header));
  if (absl::StartsWithIgnoreCase(token, "bearer ")) token.remove_prefix(7);
  return Std(absl::StripAsciiWhitespace(token));
}

// RFC 6265, section 4.2.1; the value may stand in quotes.
std::string_view OfCookie(const std::string& cookie, const http::Request& request) {
  return FindPiece(request, "cookie", ';', [&](std::string_view pair) {
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos || pair.substr(0, equals) != cookie) {
      return std::string_view();
    }
    std::string_view value = pair.substr(equals + 1);
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
      value = value.substr(1, value.size() - 2);
    }
    return value;
  });
}

}  // namespace

std::string_view TokenOf(const AuthOptions& auth, const http::Request& request) {
  std::string_view token;
  if (!auth.query_param.empty()) token = request.Query(auth.query_param);
  if (token.empty() && !auth.header.empty()) token = OfHeader(auth.header, request);
  if (token.empty() && !auth.subprotocol_prefix.empty()) {
    token = FindPiece(request, kSubprotocols, ',', [&](std::string_view offer) {
      return offer.starts_with(auth.subprotocol_prefix)
                 ? offer.substr(auth.subprotocol_prefix.size())
                 : std::string_view();
    });
  }
  if (token.empty() && !auth.cookie.empty()) token = OfCookie(auth.cookie, request);
  return token;
}

bool OffersSubprotocol(const http::Request& request, std::string_view name) {
  return !FindPiece(request, kSubprotocols, ',', [&](std::string_view offer) {
            return offer == name ? offer : std::string_view();
          }).empty();
}

}  // namespace spillway::edge
