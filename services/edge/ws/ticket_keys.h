#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/clock.h"
#include "common/base/mutex.h"

namespace spillway::edge::ws {

// The keys that TLS session tickets are sealed with: random, this process's own, a new one every
// kRotation. A ticket is good for as long, whenever in that time it was given out. Any thread.
class TicketKeys {
 public:
  static constexpr std::chrono::hours kRotation{12};

  struct Key {
    std::array<unsigned char, 16> name;  // tells keys apart, in the ticket
    std::array<unsigned char, 32> cipher;
    std::array<unsigned char, 32> mac;
  };

  // `clock` outlives this.
  explicit TicketKeys(const Clock& clock);

  // What new tickets are sealed with.
  Key Current();
  // The key of that name, if tickets of it are still good. `name`: 16 bytes.
  std::optional<Key> Find(const unsigned char* name);

 private:
  void Rotate() SPILLWAY_REQUIRES(mutex_);

  const Clock& clock_;
  Mutex mutex_;
  MonoTime made_ SPILLWAY_GUARDED_BY(mutex_);          // the current key
  std::vector<Key> keys_ SPILLWAY_GUARDED_BY(mutex_);  // the current one last; two at most
};

}  // namespace spillway::edge::ws
