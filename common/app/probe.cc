#include "common/app/probe.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <cstdio>
#include <string_view>

namespace spillway::app {
namespace {

namespace beast = boost::beast;
namespace asio = boost::asio;

int Fail(const std::string& url, const std::string& why) {
  std::fprintf(stderr, "probe: %s: %s\n", url.c_str(), why.c_str());
  return 1;
}

}  // namespace

int Probe(const std::string& url) {
  constexpr std::string_view kScheme = "http://";
  if (url.rfind(kScheme, 0) != 0) return Fail(url, "expected http://host:port/path");
  const std::string rest = url.substr(kScheme.size());
  const size_t slash = rest.find('/');
  const std::string authority = rest.substr(0, slash);
  const std::string target = slash == std::string::npos ? "/" : rest.substr(slash);
  const size_t colon = authority.rfind(':');
  const std::string host = authority.substr(0, colon);
  const std::string port = colon == std::string::npos ? "80" : authority.substr(colon + 1);

  asio::io_context context;
  beast::error_code error;
  asio::ip::tcp::resolver resolver(context);
  const auto addresses = resolver.resolve(host, port, error);
  if (error) return Fail(url, error.message());
  beast::tcp_stream stream(context);
  beast::http::request<beast::http::empty_body> request(beast::http::verb::get, target, 11);
  request.set(beast::http::field::host, authority);
  beast::flat_buffer buffer;
  beast::http::response<beast::http::string_body> response;
  // The stream's deadline works for asynchronous operations only.
  stream.expires_after(std::chrono::seconds(2));
  stream.async_connect(addresses, [&](beast::error_code e, const auto&) {
    if ((error = e)) return;
    beast::http::async_write(stream, request, [&](beast::error_code e2, size_t) {
      if ((error = e2)) return;
      beast::http::async_read(stream, buffer, response,
                              [&](beast::error_code e3, size_t) { error = e3; });
    });
  });
  context.run();
  if (error) return Fail(url, error.message());
  if (response.result_int() / 100 == 2) return 0;
  return Fail(url, "answered " + std::to_string(response.result_int()) + " " + response.body());
}

}  // namespace spillway::app
