#include "services/edge/session/connection_id.h"

#include <algorithm>
#include <string>

#include "common/base/correlation_id.h"

namespace spillway::edge {

ConnectionId NewConnectionId(const std::function<void(uint8_t* bytes, size_t size)>& random) {
  std::array<uint8_t, 16> bytes;
  random(bytes.data(), bytes.size());
  ConnectionId id;
  const std::string text = HexId(bytes.data(), bytes.size());
  std::copy(text.begin(), text.end(), id.begin());
  return id;
}

}  // namespace spillway::edge
