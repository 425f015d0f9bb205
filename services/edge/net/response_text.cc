#include "services/edge/net/response_text.h"

#include <boost/beast/http/status.hpp>
#include <string_view>

#include "absl/strings/str_cat.h"

namespace spillway::edge::net {

std::string ResponseText(const http::Response& response, bool keep_alive, bool head) {
  const auto reason = boost::beast::http::obsolete_reason(
      boost::beast::http::int_to_status(static_cast<unsigned>(response.status)));
  std::string text = absl::StrCat("HTTP/1.1 ", response.status, " ");
  text.append(reason.data(), reason.size());
  absl::StrAppend(&text, "\r\nContent-Type: ", response.content_type, "\r\n");
  for (const auto& [name, value] : response.headers) {
    absl::StrAppend(&text, name, ": ", value, "\r\n");
  }
  if (!keep_alive) text += "Connection: close\r\n";
  absl::StrAppend(&text, "Content-Length: ", response.body.size(), "\r\n\r\n");
  if (!head) text += response.body;
  return text;
}

}  // namespace spillway::edge::net
