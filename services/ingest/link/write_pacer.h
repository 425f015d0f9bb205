#pragma once

#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "common/base/clock.h"
#include "common/base/mutex.h"

namespace spillway::ingest {

// Somebody who holds something back until a time.
class Paced {
 public:
  virtual ~Paced() = default;
  // On the pacer's thread; must not block.
  virtual void OnTurn() = 0;
};

// Calls those who asked when their time has come: all that are due together in one wake-up of one
// thread. Sleeps while nobody asks. Thread-safe; times are real ones, of steady_clock.
class WritePacer {
 public:
  WritePacer() = default;
  ~WritePacer() { Stop(); }

  void Start();
  // Whoever still waits is let go of, and not called.
  void Stop();
  // Once for each time; called or, once stopping, let go of.
  void Ask(std::shared_ptr<Paced> who, MonoTime when);

 private:
  struct Asked {
    std::shared_ptr<Paced> who;
    MonoTime when;
  };

  void Run();

  Mutex mutex_;
  CondVar wake_;
  std::vector<Asked> asked_ SPILLWAY_GUARDED_BY(mutex_);
  bool stopping_ SPILLWAY_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace spillway::ingest
