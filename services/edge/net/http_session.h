#pragma once

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "services/edge/net/http_routes.h"
#include "services/edge/net/poller.h"
#include "services/edge/net/proxy_header.h"
#include "services/edge/net/request_parser.h"
#include "services/edge/session/acceptor.h"
#include "services/edge/timer/timing_wheel.h"
#include "services/edge/ws/byte_stream.h"
#include "services/edge/ws/extension.h"

namespace spillway::edge::net {

class Worker;

// Serves HTTP/1.1 on an accepted socket: requests are answered from `routes`; an upgrade that
// `acceptor` lets in becomes a connection of `worker`. Ends with its socket, its upgrade or its
// timeout, which bounds all that comes before a request is whole, TLS included, and again the time
// until an upgrade is decided about; tells the worker then, which owns it. Belongs to the worker's
// thread; all references outlive it.
class HttpSession final : public PollTarget {
 public:
  HttpSession(std::unique_ptr<ws::ByteStream> stream, std::string remote_ip, Worker& worker,
              const HttpRoutes& routes, Acceptor& acceptor);

  // Within a turn, as OnReady().
  void Start();
  void OnReady(uint32_t events) override;
  // Ends it without a word: there are too many.
  void Abandon() { End(); }

  // The worker's: where it keeps this one; nothing once it has ended.
  using Kept = std::list<std::unique_ptr<HttpSession>>;
  std::optional<Kept::iterator> kept;
  bool deciding = false;  // where it is kept: among those whose upgrade is being decided about

 private:
  enum class State : uint8_t { kProxyHeader, kReading, kDeciding, kWriting, kDraining, kEnded };
  // After what is being written. The answer that switches is left for the connection to write.
  enum class Next : uint8_t { kRead, kClose, kSwitch };

  void ReadProxyHeader();
  void ReadSome();
  void TakeInput(char* data, size_t size);
  void Answer();
  void Upgrade(const http::Request& request);
  void OnDecided(UpgradeDecision decision);
  void Decide(UpgradeDecision decision, std::string_view key,
              const std::optional<ws::DeflateAgreement>& deflate);
  void Refuse(RequestParser::Result result);
  void Respond(const http::Response& response, Next next, bool head = false);
  bool WriteSome();
  void ContinueWrite();
  bool AfterWrite(bool more);
  void Switch(char* leftover, size_t size);
  void Drain();
  void OnTimeout();
  void Await(uint32_t events);
  void StartTimer();
  void End();

  std::unique_ptr<ws::ByteStream> stream_;
  Worker& worker_;
  const HttpRoutes& routes_;
  Acceptor& acceptor_;
  Timer timer_ = Timer::Of<&HttpSession::OnTimeout>(this);
  std::string remote_ip_;  // of the socket, or what a proxy's header says of it
  std::unique_ptr<ProxyHeader> proxy_header_;
  std::optional<RequestParser> parser_;
  std::string input_;  // came, and is not parsed yet
  std::string output_;
  size_t sent_ = 0;
  // An upgrade that is decided about later, and what its answer needs of the request.
  struct Pending {
    std::unique_ptr<PendingUpgrade> upgrade;
    std::string key;
    std::optional<ws::DeflateAgreement> deflate;
  };

  std::optional<Pending> pending_;
  std::unique_ptr<TransportHandler> handler_;
  std::optional<ws::DeflateAgreement> deflate_;
  uint32_t awaited_ = 0;  // what the poller watches for
  State state_ = State::kReading;
  Next next_ = Next::kRead;
};

}  // namespace spillway::edge::net
