#pragma once

#include <map>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/mutex.h"

namespace spillway::lifecycle {

// What the process needs to do its work, and whether it has it. Any thread may set and read. Owned
// by the composition root; `clock` must outlive it.
class Readiness {
 public:
  // How a dependency stands.
  enum class Level {
    kOk,
    kDegraded,  // works, but not as it should: stays ready
    kFailed,    // not ready
  };
  struct Options {
    // Whether the status is "degraded" when something is (HTTP 200 either way). Off, it is "ready"
    // or "not_ready" only, for those who compare with these words.
    bool report_degraded = true;
    // Members added to the document, such as the node and the version.
    std::map<std::string, std::string> info;
  };

  Readiness(const Clock& clock, Options options);

  // Names a dependency before its state is known: not ready until it is set.
  void Expect(std::string name, std::string state = "unknown");
  // `state` is a word for machines ("connected"), `detail` a sentence for people, may be empty.
  void Set(std::string_view name, std::string_view state, Level level,
           std::string_view detail = {});
  // Adds, or replaces, a member of the document that takes more than a word: `json` is its value,
  // valid JSON. Not one of the document's own names.
  void SetMember(std::string_view name, std::string json);
  // From now on (or no longer) not ready, whatever the dependencies: the node lets its clients go.
  void Drain(bool draining = true);

  bool ready() const;

  struct Document {
    bool ready = false;
    std::string json;
  };
  // {"status":"ready"|"degraded"|"not_ready","timestamp":"...","kafka":"connected",
  //  "dependencies":{"kafka":"connected"},"details":{"kafka":"..."}}, "draining":true while it
  //  does. Each
  // dependency stands at the top too, except under a name that the document uses itself.
  Document Render() const;

 private:
  struct Dependency {
    std::string state;
    Level level = Level::kFailed;
    std::string detail;
  };

  bool ReadyLocked() const SPILLWAY_REQUIRES(mutex_);

  const Clock& clock_;
  const Options options_;
  mutable Mutex mutex_;
  std::map<std::string, Dependency, std::less<>> dependencies_ SPILLWAY_GUARDED_BY(mutex_);
  std::map<std::string, std::string, std::less<>> members_ SPILLWAY_GUARDED_BY(mutex_);
  bool draining_ SPILLWAY_GUARDED_BY(mutex_) = false;
};

}  // namespace spillway::lifecycle
