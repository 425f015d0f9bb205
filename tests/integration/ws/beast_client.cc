#include "tests/integration/ws/beast_client.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>

namespace spillway::test {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;
using boost::system::error_code;
using Tcp = asio::ip::tcp;

Tcp::endpoint Local(uint16_t port) { return {asio::ip::make_address("127.0.0.1"), port}; }

}  // namespace

struct BeastClient::Impl {
  asio::io_context io;
  websocket::stream<Tcp::socket> stream{io};
  websocket::response_type response;
  std::string body;
  std::string pong;
};

BeastClient::BeastClient() : impl_(std::make_unique<Impl>()) {}
BeastClient::~BeastClient() = default;

bool BeastClient::Connect(uint16_t port, const Options& options) {
  error_code error;
  Tcp::socket& socket = impl_->stream.next_layer();
  socket.open(Tcp::v4(), error);
  if (options.receive_buffer > 0) {
    socket.set_option(asio::socket_base::receive_buffer_size(options.receive_buffer), error);
  }
  socket.connect(Local(port), error);
  if (error) return false;
  if (options.deflate) {
    websocket::permessage_deflate deflate;
    deflate.client_enable = true;
    deflate.server_max_window_bits = options.server_window_bits;
    impl_->stream.set_option(deflate);
  }
  impl_->stream.set_option(
      websocket::stream_base::decorator([&options](websocket::request_type& request) {
        if (!options.subprotocol.empty()) {
          request.set(beast::http::field::sec_websocket_protocol, options.subprotocol);
        }
        for (const auto& [name, value] : options.headers) request.insert(name, value);
      }));
  impl_->stream.control_callback([this](websocket::frame_type type, beast::string_view payload) {
    if (type == websocket::frame_type::pong) impl_->pong.assign(payload.data(), payload.size());
  });
  impl_->stream.read_message_max(64 << 20);
  impl_->stream.handshake(impl_->response, "localhost", options.path, error);
  impl_->body = impl_->response.body();
  return !error;
}

int BeastClient::status() const { return static_cast<int>(impl_->response.result_int()); }
const std::string& BeastClient::body() const { return impl_->body; }

std::string BeastClient::response_header(const std::string& name) const {
  const auto value = impl_->response[name];
  return std::string(value.data(), value.size());
}

bool BeastClient::Send(std::string_view payload, bool text) {
  error_code error;
  impl_->stream.text(text);
  impl_->stream.write(asio::buffer(payload.data(), payload.size()), error);
  return !error;
}

bool BeastClient::SendFragmented(std::string_view payload, size_t fragment) {
  error_code error;
  impl_->stream.text(true);
  while (!error && !payload.empty()) {
    const std::string_view part = payload.substr(0, fragment);
    payload.remove_prefix(part.size());
    impl_->stream.write_some(payload.empty(), asio::buffer(part.data(), part.size()), error);
  }
  return !error;
}

bool BeastClient::Ping(std::string_view payload) {
  error_code error;
  impl_->stream.ping(websocket::ping_data(beast::string_view(payload.data(), payload.size())),
                     error);
  return !error;
}

ClientResult BeastClient::Receive() {
  beast::flat_buffer buffer;
  error_code error;
  impl_->stream.read(buffer, error);
  ClientResult result;
  result.ok = !error;
  if (error) {
    result.close_code = impl_->stream.reason().code;
    const auto& reason = impl_->stream.reason().reason;
    result.close_reason.assign(reason.data(), reason.size());
  } else {
    result.payload = beast::buffers_to_string(buffer.data());
    result.text = impl_->stream.got_text();
  }
  return result;
}

const std::string& BeastClient::last_pong() const { return impl_->pong; }

bool BeastClient::Close(uint16_t code) {
  error_code error;
  impl_->stream.close(websocket::close_reason(code), error);
  return !error;
}

void BeastClient::Abandon() {
  error_code ignored;
  impl_->stream.next_layer().close(ignored);
}

std::string RawExchange(uint16_t port, std::string_view bytes) {
  asio::io_context io;
  Tcp::socket socket(io);
  error_code error;
  socket.connect(Local(port), error);
  if (error) return "cannot connect";
  asio::write(socket, asio::buffer(bytes.data(), bytes.size()), error);
  std::string answer;
  asio::read(socket, asio::dynamic_buffer(answer), error);
  return answer;
}

}  // namespace spillway::test
