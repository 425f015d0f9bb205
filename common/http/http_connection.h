#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/http/exchange.h"
#include "common/http/http_server.h"
#include "common/http/routes.h"

namespace spillway::http {

using HttpSocket =
    boost::asio::basic_stream_socket<boost::asio::ip::tcp, boost::asio::io_context::executor_type>;

class HttpConnection;

// What a connection knows of its server; on the server's thread.
struct HttpConnectionHost {
  virtual ~HttpConnectionHost() = default;
  virtual void Forget(HttpConnection* connection) = 0;

  HttpServerOptions options;
  Routes routes;
  bool stopping = false;
  // Shared with answers that are still to come: they may come when the server is no more.
  const std::shared_ptr<boost::asio::io_context> context =
      std::make_shared<boost::asio::io_context>(1);
};

// One connection: reads a request, answers it, and again. Lives on the server's thread, owned by
// its set.
class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(HttpConnectionHost* server, HttpSocket socket);

  void Read();

  bool answering() const { return answering_; }

  void Close();

  // What an Answer says; of an earlier request it is void.
  void Respond(uint64_t turn, Response response);
  void Begin(uint64_t turn, const Response& head);
  void Add(uint64_t turn, std::string_view piece, std::function<void()> written);
  void End(uint64_t turn);
  void OnGone(std::function<void()> gone) { gone_ = std::move(gone); }

 private:
  void Later(const AsyncHandler& handler, const Request& request, bool keep, bool head);

  // A peer that goes while its answer is being made is noticed at once.
  void Watch();

  void Flush();

  void OnRead(boost::system::error_code error);

  void Write(Response from, bool keep_alive, bool head);

  // Closing with unread input makes the kernel send a reset, which may overtake the answer (RFC
  // 9112, section 9.6): so what still comes is read and dropped, for a moment.
  void Linger();

  void Discard();

  static constexpr std::chrono::seconds kLinger{1};

  HttpConnectionHost* const server_;
  boost::beast::basic_stream<boost::asio::ip::tcp, boost::asio::io_context::executor_type> stream_;
  std::string remote_ip_;
  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  boost::beast::http::response<boost::beast::http::string_body> response_;
  std::array<char, 4096> discarded_;
  bool answering_ = false;
  // Of an answer that comes later.
  uint64_t turn_ = 0;  // of requests and their answers
  bool keep_ = false;
  bool head_ = false;
  bool streaming_ = false;
  bool ending_ = false;
  std::string out_;
  std::string sending_;
  std::vector<std::function<void()>> written_;  // of what is in out_ and sending_
  std::function<void()> gone_;
};

}  // namespace spillway::http
