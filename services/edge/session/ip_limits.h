#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/container/node_hash_map.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/log/rate_limited.h"
#include "common/metrics/metrics.h"
#include "common/net/ip_address.h"

namespace spillway::edge {

// Connections and refused attempts by the address that clients come from, on this node; of IPv6 by
// the first 64 bits of it. Whose attempts are refused too often is blocked for a while.
//
// A lock is taken when a client comes and goes. Thread-safe. Owned by the composition root;
// outlives all places.
class IpLimits {
 public:
  struct Options {
    int64_t connections = 0;  // of an address at a time; 0: any number
    uint32_t failures = 0;    // refused attempts within `window` that block it; 0: never
    std::chrono::milliseconds window{60'000};
    std::chrono::milliseconds block{600'000};  // how long
  };
  // Addresses with refused attempts or a block. At the bound those whose last failure is longest
  // ago are forgotten, and blocks, the oldest first, only when there is nothing else.
  static constexpr size_t kMaxFailed = 65'536;

 private:
  struct Ip;

 public:
  // One connection's share in its address; gives it back at its end. Movable.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept : ip_(std::exchange(other.ip_, nullptr)) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(ip_, other.ip_);
      return *this;
    }
    ~Place() {
      if (ip_ != nullptr) Leave(*ip_);
    }

   private:
    friend class IpLimits;
    explicit Place(Ip* ip) : ip_(ip) {}
    Ip* ip_ = nullptr;
  };

  // `clock` outlives it.
  IpLimits(const Options& options, const Clock& clock);

  // For how long the address is blocked; zero: it is not.
  std::chrono::milliseconds BlockedFor(std::string_view ip);
  // Nothing: it has as many connections as it may have.
  std::optional<Place> Enter(std::string_view ip);
  // An attempt from there was refused. Whether that has it blocked, from now on.
  bool CountFailure(std::string_view ip);
  // Lifts the blocks of a network's addresses, and forgets their failures.
  void Lift(const IpNetwork& network);

  const metrics::AtomicCounter& blocks() const { return blocks_; }
  // Failures and blocks that were forgotten at the bound.
  const metrics::AtomicCounter& forgotten() const { return forgotten_; }
  // Addresses that are blocked now, and those with refused attempts.
  size_t blocked();
  size_t failed();

 private:
  static constexpr size_t kShards = 16;
  using List = std::list<Ip*>;

  struct Ip {
    explicit Ip(IpLimits& of) : table(of) {}
    IpLimits& table;
    const IpAddress* address = nullptr;
    int64_t connections = 0;
    uint32_t failures = 0;
    MonoTime since;          // of the first of them
    MonoTime blocked_until;  // while it is in `blocked`
    List* list = nullptr;    // that it is in
    List::iterator place;
  };
  struct Shard {
    Mutex mutex;
    absl::node_hash_map<IpAddress, Ip> ips SPILLWAY_GUARDED_BY(mutex);
    List failed SPILLWAY_GUARDED_BY(mutex);   // the one whose last failure is longest ago first
    List blocked SPILLWAY_GUARDED_BY(mutex);  // in the order of their ends
  };

  static IpAddress KeyOf(std::string_view ip);
  Shard& ShardOf(const IpAddress& key);
  Ip& At(Shard& shard, const IpAddress& key) SPILLWAY_REQUIRES(shard.mutex);
  static void Leave(Ip& ip);
  static void Move(Ip& ip, List* to);
  void Forget(Shard& shard, Ip& ip) SPILLWAY_REQUIRES(shard.mutex);
  void ForgetOld(Shard& shard, MonoTime now) SPILLWAY_REQUIRES(shard.mutex);

  const Options options_;
  const Clock& clock_;
  std::array<Shard, kShards> shards_;
  metrics::AtomicCounter blocks_;
  metrics::AtomicCounter forgotten_;
  log::RateLimited log_;
};

}  // namespace spillway::edge
