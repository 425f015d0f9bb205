#pragma once

#include <cstdint>
#include <string_view>

namespace spillway::edge {

class Session;

// Who watches connections come and go, for operators. Called on the workers' threads, at every
// connect and refusal: must be quick where nobody watches.
class SessionEvents {
 public:
  virtual ~SessionEvents() = default;
  virtual void OnOpened(const Session& session) = 0;
  // `code`: of the close frame; 0: it ended without one.
  virtual void OnClosed(const Session& session, uint16_t code, std::string_view reason) = 0;
  // An upgrade, or a connect message. `code`: docs/errors.md.
  virtual void OnRefused(std::string_view code, std::string_view ip) = 0;
};

}  // namespace spillway::edge
