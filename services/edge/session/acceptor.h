#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/http/http_types.h"
#include "services/edge/session/transport.h"

namespace spillway::edge {

struct UpgradeDecision;

// An upgrade that is decided about later: somebody is asked about the client. Belongs to the worker
// thread that accepted the socket.
class PendingUpgrade {
 public:
  using Decided = std::function<void(UpgradeDecision)>;

  // If it is not decided yet, nobody is told any more, and what was held for the client is free.
  virtual ~PendingUpgrade() = default;
  // Once: `decided` is called in a later turn, and may destroy this. Never, when the node ends.
  virtual void Await(Decided decided) = 0;
};

// The answer to a WebSocket upgrade request.
struct UpgradeDecision {
  // Set: the upgrade is refused with this response (for example 401 with a JSON error body).
  std::optional<http::Response> refusal;
  // Set otherwise: who handles the connection.
  std::unique_ptr<TransportHandler> handler;
  // Set in place of both: they come later.
  std::unique_ptr<PendingUpgrade> pending;
  // Whether permessage-deflate may be negotiated, if the client offers it and the worker's options
  // allow it.
  bool deflate = true;
  // Of the request: given back in the answer.
  std::string correlation_id;
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
