#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// A WebSocket client that shares no code with the edge: Beast's, blocking.
namespace spillway::test {

struct ClientResult {
  bool ok = false;
  std::string payload;  // of a message
  bool text = false;
  uint16_t close_code = 0;  // after the server's close frame
  std::string close_reason;
};

class BeastClient {
 public:
  struct Options {
    std::string path = "/";
    std::string subprotocol = {};
    bool deflate = false;
    int server_window_bits = 15;  // the most that the server may use; 9 at least
    int receive_buffer = 0;       // SO_RCVBUF; 0: the kernel's default
    std::vector<std::pair<std::string, std::string>> headers = {};
  };

  BeastClient();
  ~BeastClient();

  // Connects and upgrades. Otherwise the status and body of the refusal are kept.
  bool Connect(uint16_t port, const Options& options);
  bool Connect(uint16_t port) { return Connect(port, Options()); }
  int status() const;
  const std::string& body() const;
  std::string response_header(const std::string& name) const;

  bool Send(std::string_view payload, bool text = true);
  bool SendFragmented(std::string_view payload, size_t fragment);
  bool Ping(std::string_view payload);
  ClientResult Receive();
  // The payload of the last pong that came while receiving.
  const std::string& last_pong() const;
  // Starts a close handshake and waits for its end.
  bool Close(uint16_t code);
  // Drops the socket without one.
  void Abandon();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Sends bytes as they are, returns all that comes back until the server closes.
std::string RawExchange(uint16_t port, std::string_view bytes);

}  // namespace spillway::test
