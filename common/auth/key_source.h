#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/auth/algorithm.h"
#include "common/auth/key_set.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"

namespace spillway::auth {

// Where the keys of an issuer come from, and which they are now. What was loaded stays until
// something else that can be used was: an unreachable or broken source takes no key away.
//
// Current(), Miss(), status(): any thread. Load(): one thread at a time, a KeyRefresher's, or the
// owner's before there is one. Outlives the verifiers and the refresher that know it.
class KeySource {
 public:
  enum class Format : uint8_t { kSecretLines, kPem, kJwks };

  struct Options {
    std::string name;  // for operators; holds no secret
    Format format = Format::kJwks;
    AlgorithmSet algorithms = AlgorithmSet::All();  // allowed
    // Not a file of the operator's: holds no secrets, unfit keys in it are left out, and a token
    // that names a key which is not there has it loaded again.
    bool remote = false;
    std::chrono::milliseconds refresh{60'000};  // from one load to the next
    // The least time from one load to another that a token, or a failure, is the reason of.
    std::chrono::milliseconds retry{10'000};
  };
  // Gets the text; blocks. An error's message may be logged.
  using Fetch = std::function<absl::StatusOr<std::string>()>;

  struct Status {
    uint64_t loads = 0;  // that gave keys
    uint64_t failures = 0;
    size_t keys = 0;
    std::chrono::milliseconds age{0};  // of the last good load, or of the source without one
    std::string error;                 // of the last load; empty: it was good
  };

  // Keys that never change.
  explicit KeySource(std::shared_ptr<const KeySet> keys);
  // Without keys until the first Load(). `clock` outlives this.
  KeySource(Options options, Fetch fetch, const Clock& clock);
  KeySource(const KeySource&) = delete;
  KeySource& operator=(const KeySource&) = delete;

  // Null: none were loaded yet. A lock of a few instructions, where the keys may change.
  std::shared_ptr<const KeySet> Current() const;
  // The keys that never change; null if they may. Takes no lock.
  const KeySet* fixed() const { return fixed_.get(); }

  // A token names a key that is not here. True: a load is under way or was asked for by this, so
  // that it may be here soon.
  bool Miss();

  // When Load() is due: MonoTime::min() for at once.
  MonoTime due() const;
  void Load();
  // Called, by any thread, when the next load became due earlier. Set before the source is used.
  void OnMiss(std::function<void()> wake) { wake_ = std::move(wake); }

  const Options& options() const { return options_; }
  Status status() const;

 private:
  KeySet::Made Parse(const std::string& text) const;

  const Options options_;
  const Fetch fetch_;
  const Clock* const clock_ = nullptr;
  const std::shared_ptr<const KeySet> fixed_;
  std::function<void()> wake_;

  mutable Mutex mutex_;
  std::shared_ptr<const KeySet> keys_ SPILLWAY_GUARDED_BY(mutex_);
  std::string text_ SPILLWAY_GUARDED_BY(mutex_);  // that `keys_` were made of
  MonoTime due_ SPILLWAY_GUARDED_BY(mutex_) = MonoTime::min();
  MonoTime began_ SPILLWAY_GUARDED_BY(mutex_) = MonoTime::min();  // the last load
  MonoTime good_ SPILLWAY_GUARDED_BY(mutex_);                     // the last good load
  bool loading_ SPILLWAY_GUARDED_BY(mutex_) = false;
  bool missed_ SPILLWAY_GUARDED_BY(mutex_) = false;  // a load was asked for and has not begun
  Status status_ SPILLWAY_GUARDED_BY(mutex_);
};

}  // namespace spillway::auth
