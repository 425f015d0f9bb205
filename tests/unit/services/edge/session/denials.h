#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "services/edge/session/session.h"
#include "services/edge/session/session_events.h"

namespace spillway::edge {

// What sessions were refused: "USER ACTION CODE TARGET".
class Denials final : public SessionEvents {
 public:
  void OnOpened(const Session&) override {}
  void OnClosed(const Session&, uint16_t, std::string_view) override {}
  void OnRefused(std::string_view, const RefusedClient&) override {}
  void OnAddressBlocked(const RefusedClient&) override {}
  void OnDenied(const Session& session, std::string_view action, std::string_view code,
                std::string_view target) override {
    all.push_back(session.user_id() + " " + std::string(action) + " " + std::string(code) + " " +
                  std::string(target));
  }
  std::vector<std::string> all;
};

}  // namespace spillway::edge
