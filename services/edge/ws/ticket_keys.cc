#include "services/edge/ws/ticket_keys.h"

#include <openssl/rand.h>

#include <cstdlib>
#include <cstring>

namespace spillway::edge::ws {
namespace {

TicketKeys::Key NewKey() {
  TicketKeys::Key key;
  // A generator that fails would give everyone the same keys: better none.
  if (RAND_bytes(key.name.data(), static_cast<int>(key.name.size())) != 1 ||
      RAND_priv_bytes(key.cipher.data(), static_cast<int>(key.cipher.size())) != 1 ||
      RAND_priv_bytes(key.mac.data(), static_cast<int>(key.mac.size())) != 1) {
    std::abort();
  }
  return key;
}

}  // namespace

TicketKeys::TicketKeys(const Clock& clock) : clock_(clock), made_(clock.Now()), keys_{NewKey()} {}

void TicketKeys::Rotate() {
  const MonoTime now = clock_.Now();
  if (now - made_ < kRotation) return;
  // A key that was the current one until just now seals good tickets; after a longer sleep of the
  // process none is.
  if (now - made_ >= 2 * kRotation) keys_.clear();
  if (keys_.size() > 1) keys_.erase(keys_.begin());
  keys_.push_back(NewKey());
  made_ = now;
}

TicketKeys::Key TicketKeys::Current() {
  MutexLock lock(mutex_);
  Rotate();
  return keys_.back();
}

std::optional<TicketKeys::Key> TicketKeys::Find(const unsigned char* name) {
  MutexLock lock(mutex_);
  Rotate();
  for (const Key& key : keys_) {
    if (std::memcmp(key.name.data(), name, key.name.size()) == 0) return key;
  }
  return std::nullopt;
}

}  // namespace spillway::edge::ws
