#pragma once

#include <cstdint>
#include <string_view>

namespace spillway::edge {

class Session;

// Somebody who is refused, by the answer to the upgrade or to the connect message.
// What is not known is empty.
struct RefusedClient {
  std::string_view ip;
  std::string_view endpoint = {};  // path, as configured
  std::string_view user_id = {};
  std::string_view correlation_id = {};
};

// Who watches connections come and go, for operators. Called on the workers' threads, at every
// connect and refusal: must be quick where nobody watches.
class SessionEvents {
 public:
  virtual ~SessionEvents() = default;
  virtual void OnOpened(const Session& session) = 0;
  // `code`: of the close frame; 0: it ended without one.
  virtual void OnClosed(const Session& session, uint16_t code, std::string_view reason) = 0;
  // `code`: docs/errors.md.
  virtual void OnRefused(std::string_view code, const RefusedClient& client) = 0;
  // Its address is kept out from now on, for too many refused attempts.
  virtual void OnAddressBlocked(const RefusedClient& client) = 0;
  // A connection was refused something: a channel (`target`), or another token.
  virtual void OnDenied(const Session& session, std::string_view action, std::string_view code,
                        std::string_view target) = 0;
};

}  // namespace spillway::edge
