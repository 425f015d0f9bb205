#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/node_hash_map.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/base/string_map.h"
#include "services/edge/session/rate.h"

namespace spillway::edge {

// What the connections of one user may do together, on this node. A client without a name is a user
// of its own.
//
// A lock is taken when a connection comes and goes; what is done in between takes from the user's
// buckets without one. Thread-safe. Owned by the composition root; outlives all places.
class UserLimits {
 public:
  struct Options {
    int64_t connections = 0;   // of a user at a time; 0: any number
    Rate messages = {};        // from a user
    Rate subscribes = {};      // of a user
    Rate publishes = {};       // of a user
    size_t channel_rates = 0;  // of rules, ChannelPolicy::rates()
  };
  // Users without connections whose buckets are not full again; at the bound those who left first
  // are forgotten.
  static constexpr size_t kMaxLeft = 65'536;

 private:
  struct User;

 public:
  // One connection's share in its user; gives it back at its end. Movable. For one thread at a
  // time.
  class Place {
   public:
    Place() = default;  // without limits
    Place(Place&& other) noexcept : user_(std::exchange(other.user_, nullptr)) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(user_, other.user_);
      return *this;
    }
    ~Place() {
      if (user_ != nullptr) Leave(*user_);
    }

    // False: one too many.
    bool TakeMessage(MonoTime now) {
      return user_ == nullptr || user_->messages.Take(now, user_->table.options_.messages);
    }
    bool TakeSubscribe(MonoTime now) {
      return user_ == nullptr || user_->subscribes.Take(now, user_->table.options_.subscribes);
    }
    bool TakePublish(MonoTime now) {
      return user_ == nullptr || user_->publishes.Take(now, user_->table.options_.publishes);
    }
    // By the rate of a rule, whose number among all is `index`.
    bool TakeByRule(MonoTime now, size_t index, const Rate& rate) {
      return user_ == nullptr || user_->channels[index].Take(now, rate);
    }

   private:
    friend class UserLimits;
    explicit Place(User* user) : user_(user) {}
    User* user_ = nullptr;
  };

  // `clock` outlives it.
  UserLimits(const Options& options, const Clock& clock);
  ~UserLimits();
  UserLimits(const UserLimits&) = delete;
  UserLimits& operator=(const UserLimits&) = delete;

  // Nothing: the user has as many connections as it may have. `user_id` empty: has no name.
  std::optional<Place> Enter(std::string_view user_id);

  // Users that are kept count of.
  size_t size() const;

 private:
  static constexpr size_t kShards = 16;

  struct User {
    explicit User(UserLimits& of) : table(of) {}
    MonoTime full_at() const;

    UserLimits& table;
    const std::string* name = nullptr;  // null: has none, and is in no table
    int64_t connections = 0;
    std::optional<std::list<User*>::iterator> left;  // while it has none
    SharedBucket messages;
    SharedBucket subscribes;
    SharedBucket publishes;
    std::unique_ptr<SharedBucket[]> channels;
  };
  struct Shard {
    mutable Mutex mutex;
    absl::node_hash_map<std::string, User, StringHash, std::equal_to<>> users
        SPILLWAY_GUARDED_BY(mutex);
    std::list<User*> left SPILLWAY_GUARDED_BY(mutex);  // in the order in which they left
  };

  static void Leave(User& user);
  Shard& ShardOf(std::string_view user_id);
  // Those whose buckets are full again, and those beyond the bound.
  static void Forget(Shard& shard, MonoTime now) SPILLWAY_REQUIRES(shard.mutex);
  void Init(User& user) const;

  const Options options_;
  const bool limits_;
  const Clock& clock_;
  std::array<Shard, kShards> shards_;
};

}  // namespace spillway::edge
