#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/http/http_types.h"
#include "services/edge/session/transport.h"

namespace spillway::edge {

// The answer to a WebSocket upgrade request.
struct UpgradeDecision {
  // Set: the upgrade is refused with this response (for example 401 with a JSON error body).
  std::optional<http::Response> refusal;
  // Set otherwise: who handles the connection.
  std::unique_ptr<TransportHandler> handler;
  // Whether permessage-deflate may be negotiated, if the client offers it and the worker's options
  // allow it.
  bool deflate = true;
  std::string subprotocol;  // Sec-WebSocket-Protocol to answer with; empty = none
};

// Decides about upgrade requests. Called on the worker thread that accepted the socket; must not
// block.
class Acceptor {
 public:
  virtual ~Acceptor() = default;
  // `worker` is the index of the calling worker.
  virtual UpgradeDecision OnUpgrade(const http::Request& request, size_t worker) = 0;
};

}  // namespace spillway::edge
