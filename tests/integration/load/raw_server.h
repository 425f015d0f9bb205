#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace spillway::load {

// A WebSocket server for the dialect `raw`, on a thread of its own: just enough for the load tool
// to be tried against servers that do wrong.
class RawServer {
 public:
  // Called for each publication: how often it is to be sent, usually once. `number` counts from 1.
  using Fault = std::function<int(uint64_t number)>;

  explicit RawServer(Fault fault = nullptr);
  ~RawServer();
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;

  std::string url() const;
  // Publications after which every connection but the publisher's is closed; 0: none.
  std::atomic<uint64_t> close_after{0};

 private:
  struct Peer {
    std::string in;
    std::set<std::string> channels;
    bool upgraded = false;
  };

  void Run();
  bool Read(int fd);
  void OnMessage(int fd, std::string_view text);
  void Publish(std::string_view channel, std::string_view payload);

  const Fault fault_;
  int listener_ = -1;
  uint16_t port_ = 0;
  std::map<int, Peer> peers_;
  std::vector<int> doomed_;
  uint64_t published_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace spillway::load
