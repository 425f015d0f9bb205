#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/http/http_types.h"

namespace spillway::http {

// The place of an answer that comes later: one Respond(), or Begin(), Writes and End(). Any thread,
// also after the peer or the server has gone: then nothing happens.
class Exchange {
 public:
  virtual ~Exchange() = default;

  // The whole answer.
  virtual void Respond(Response response) = 0;

  // An answer in pieces, of a length that nobody knows; the body of `head` is not sent. The
  // connection ends with it.
  virtual void Begin(Response head) = 0;
  // `written` is called on the server's thread when the piece is with the kernel, and not at all if
  // the peer went: the next piece comes after that.
  virtual void Write(std::string piece, std::function<void()> written) = 0;
  virtual void End() = 0;

  // Called on the server's thread, once, if the peer goes before the answer is complete. Set before
  // the handler returns.
  virtual void OnGone(std::function<void()> gone) = 0;
};

// Called on the serving thread: must not block.
using AsyncHandler = std::function<void(const Request&, std::shared_ptr<Exchange>)>;

}  // namespace spillway::http
