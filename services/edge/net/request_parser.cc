#include "services/edge/net/request_parser.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "services/edge/net/http_target.h"

namespace spillway::edge::net {
namespace {

namespace beast = boost::beast;
using beast::error_code;
using beast::string_view;

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }
std::string_view View(string_view text) { return {text.data(), text.size()}; }

}  // namespace

class RequestParser::Beast final : public beast::http::basic_parser<true> {
 public:
  http::Request request;
  bool good_target = true;
  bool http11 = false;

 private:
  void on_request_impl(beast::http::verb, string_view method, string_view target, int version,
                       error_code&) override {
    request.method = View(method);
    good_target = ParseTarget(View(target), &request);
    http11 = version >= 11;
  }
  void on_field_impl(beast::http::field, string_view name, string_view value,
                     error_code&) override {
    auto& [lower, kept] = request.headers.emplace_back(View(name), View(value));
    for (char& c : lower) c = Lower(c);
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<uint64_t>&, error_code&) override {}
  size_t on_body_impl(string_view body, error_code&) override {
    request.body.append(View(body));
    return body.size();
  }
  void on_chunk_header_impl(uint64_t, string_view, error_code&) override {}
  size_t on_chunk_body_impl(uint64_t, string_view body, error_code&) override {
    request.body.append(View(body));
    return body.size();
  }
  void on_finish_impl(error_code&) override {}
  void on_response_impl(int, string_view, int, error_code&) override {}
};

RequestParser::RequestParser(const Limits& limits) : beast_(std::make_unique<Beast>()) {
  beast_->header_limit(static_cast<uint32_t>(limits.header_bytes));
  beast_->body_limit(limits.body_bytes);
}

RequestParser::~RequestParser() = default;

RequestParser::Result RequestParser::Feed(const char* data, size_t size, size_t* consumed) {
  *consumed = 0;
  while (!beast_->is_done()) {
    // What ends a body in chunks has 5 bytes, "0 CR LF CR LF". Handed less of it for the second
    // time, Beast ends the process where its assertions are on.
    constexpr size_t kLeastOfChunks = 5;
    if (beast_->is_header_done() && beast_->chunked() && size - *consumed < kLeastOfChunks) {
      return Result::kMore;
    }
    error_code error;
    const size_t taken =
        beast_->put(boost::asio::buffer(data + *consumed, size - *consumed), error);
    *consumed += taken;
    if (error == beast::http::error::need_more) return Result::kMore;
    if (error == beast::http::error::header_limit) return Result::kHeaderLimit;
    if (error == beast::http::error::body_limit) return Result::kBodyLimit;
    if (error) return Result::kBad;
    if (taken == 0 && !beast_->is_done()) return Result::kMore;
  }
  return beast_->good_target ? Result::kDone : Result::kBadTarget;
}

http::Request& RequestParser::request() { return beast_->request; }
bool RequestParser::http11() const { return beast_->http11; }
bool RequestParser::keep_alive() const { return beast_->keep_alive(); }

}  // namespace spillway::edge::net
