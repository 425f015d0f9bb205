#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/base/string_map.h"
#include "common/control/control_table.h"
#include "common/metrics/metrics.h"
#include "common/net/ip_address.h"
#include "services/edge/session/close_codes.h"

namespace spillway::edge {

// A client as blocks and revocations see it.
struct BlockSubject {
  static constexpr int64_t kNotSaid = INT64_MIN;

  std::string_view ip;
  std::string_view user_id = {};  // empty: it has no name
  bool token = false;             // it has shown one
  uint64_t token_id = 0;          // Blocks::TokenId() of its `jti`; 0: it has none
  int64_t issued_us = kNotSaid;   // its `iat`, Unix
};

// Who is kept out by operators, on this node: addresses, users, tokens. Asked when a client comes
// in, when it has been let in and can be found (so that none slips between), when it shows a new
// token, and of all connections when something is added.
//
// A lock is taken for an instant when a client comes or something changes, and none while nothing
// is blocked. Thread-safe. Owned by the composition root.
class Blocks {
 public:
  struct Options {
    size_t max_entries = 100'000;  // in force
  };
  enum class Kind : uint8_t { kIp, kUser, kToken };
  struct Denial {
    Kind kind;
    // The code by which a client that comes in is refused, and how one that is there is closed.
    std::string_view code;
    CloseCode close;
    // Until it ends; zero: not by itself.
    std::chrono::milliseconds left{0};
  };
  using Merged = control::ControlTable::Merged;

  // `clock` outlives it.
  Blocks(Options options, const Clock& clock)
      : clock_(clock), max_(options.max_entries), table_({.max_entries = options.max_entries}) {}

  // An entry that Check() found good. kTaken: connections may have to be looked at.
  Merged Merge(const v1::ControlEntry& entry);
  // Lets go of what has ended; now and then.
  void Expire();

  std::optional<Denial> CheckIp(std::string_view ip) const;
  std::optional<Denial> Check(const BlockSubject& subject) const;

  // What a session keeps of a token's id: never 0 but for an empty one.
  static uint64_t TokenId(std::string_view jti);

  // Those in force, by key, from behind `after` on; at most so many.
  std::vector<v1::ControlEntry> List(std::optional<v1::ControlKind> kind, std::string_view after,
                                     size_t most) const;
  // The one in force.
  std::optional<v1::ControlEntry> Find(v1::ControlKind kind, std::string_view subject) const;
  // When the state of a key was asked for, whatever it is; 0: nothing is known.
  int64_t IssuedUs(v1::ControlKind kind, std::string_view subject) const;
  // As many are in force as may be.
  bool full() const { return size() >= max_; }
  size_t max_entries() const { return max_; }
  size_t size() const { return live_.load(std::memory_order_relaxed); }
  // Entries that are not in force for lack of room.
  const metrics::AtomicCounter& dropped() const { return dropped_; }

 private:
  struct Until {
    int64_t expires_us = 0;
    int64_t before_us = 0;  // of a user's tokens
  };

  void Index(const v1::ControlEntry& entry) SPILLWAY_REQUIRES(mutex_);
  void Unindex(const v1::ControlEntry& entry) SPILLWAY_REQUIRES(mutex_);
  std::optional<Denial> IpDenial(std::string_view ip) const SPILLWAY_REQUIRES(mutex_);
  std::optional<Denial> Deny(Kind kind, const Until& until) const;
  void Count() SPILLWAY_REQUIRES(mutex_);

  const Clock& clock_;
  const size_t max_;
  std::atomic<size_t> live_{0};
  metrics::AtomicCounter dropped_;

  mutable Mutex mutex_;
  control::ControlTable table_ SPILLWAY_GUARDED_BY(mutex_);
  // What is in force, as it is looked up. Networks by the length of their prefix.
  std::map<int, absl::flat_hash_map<IpAddress, Until>> networks_ SPILLWAY_GUARDED_BY(mutex_);
  StringMap<Until> users_ SPILLWAY_GUARDED_BY(mutex_);
  StringMap<Until> users_tokens_ SPILLWAY_GUARDED_BY(mutex_);
  absl::flat_hash_map<uint64_t, Until> tokens_ SPILLWAY_GUARDED_BY(mutex_);
};

}  // namespace spillway::edge
