#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "tools/load/client.h"

namespace spillway::load {

// Many WebSocket clients on one thread and one epoll set. Connections are opened at a given pace
// from several loopback addresses in turn, so that their number is not bounded by the ports of one.
// Belongs to main; one thread.
class Swarm {
 public:
  struct Options {
    std::string host;  // an IPv4 address
    uint16_t port = 0;
    std::string target;  // path and query
    size_t clients = 1;
    double connect_rate = 2000;   // connections a second
    size_t max_unfinished = 256;  // handshakes under way at a time
    // Channels that each client subscribes to; "{i}" in a name is the client's number modulo
    // `spread`.
    std::vector<std::string> channels;
    size_t spread = 1;
  };

  explicit Swarm(Options options);
  ~Swarm();  // closes all connections, without ceremony
  Swarm(const Swarm&) = delete;
  Swarm& operator=(const Swarm&) = delete;

  absl::Status Init();
  // One turn: opens what is due, waits at most `timeout_ms` for something to happen, handles it.
  void Poll(int timeout_ms);
  // Every client was opened, and is subscribed to all of its channels or has failed.
  bool settled() const;

  Measurement& measurement() { return measurement_; }
  const Measurement& measurement() const { return measurement_; }
  const SwarmCounters& counters() const { return measurement_.counters; }

 private:
  void OpenDue(int64_t now_ns);
  bool Open(size_t index);
  void OnReady(Client& client, size_t index, uint32_t events);
  bool Read(Client& client, size_t index);
  bool Write(Client& client, size_t index);
  void Close(Client& client);
  std::string SubscribeMessage(size_t index) const;

  const Options options_;
  const std::string request_;
  int epoll_ = -1;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<char> buffer_;
  int64_t started_ns_ = 0;
  Measurement measurement_;
};

}  // namespace spillway::load
