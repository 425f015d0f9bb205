#pragma once

#include "services/edge/net/asio_types.h"
#include "services/edge/net/http_routes.h"
#include "services/edge/session/acceptor.h"

namespace spillway::edge::net {

class Worker;

// A socket that is served HTTP, for the worker's list of them.
class HttpSocket {
 public:
  virtual ~HttpSocket() = default;
  // The worker stops: nobody will answer any more.
  virtual void CloseSocket() = 0;
};

// Serves HTTP/1.1 on an accepted socket: requests are answered from `routes`; an upgrade that
// `acceptor` lets in becomes a connection of `worker`, on whose thread this is called and all of it
// happens. All three outlive the session, which owns itself and ends with its socket or by its
// timeout.
void ServeHttp(TcpSocket socket, Worker& worker, const HttpRoutes& routes, Acceptor& acceptor);

}  // namespace spillway::edge::net
