#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

// Clang's thread-safety annotations (https://clang.llvm.org/docs/ThreadSafetyAnalysis.html);
// nothing elsewhere.
#if defined(__clang__)
#define SPILLWAY_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define SPILLWAY_THREAD_ATTRIBUTE(x)
#endif
#define SPILLWAY_CAPABILITY(name) SPILLWAY_THREAD_ATTRIBUTE(capability(name))
#define SPILLWAY_SCOPED_CAPABILITY SPILLWAY_THREAD_ATTRIBUTE(scoped_lockable)
#define SPILLWAY_GUARDED_BY(mutex) SPILLWAY_THREAD_ATTRIBUTE(guarded_by(mutex))
#define SPILLWAY_PT_GUARDED_BY(mutex) SPILLWAY_THREAD_ATTRIBUTE(pt_guarded_by(mutex))
#define SPILLWAY_REQUIRES(...) SPILLWAY_THREAD_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define SPILLWAY_EXCLUDES(...) SPILLWAY_THREAD_ATTRIBUTE(locks_excluded(__VA_ARGS__))
#define SPILLWAY_ACQUIRE(...) SPILLWAY_THREAD_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define SPILLWAY_RELEASE(...) SPILLWAY_THREAD_ATTRIBUTE(release_capability(__VA_ARGS__))
#define SPILLWAY_TRY_ACQUIRE(...) SPILLWAY_THREAD_ATTRIBUTE(try_acquire_capability(__VA_ARGS__))

namespace spillway {

// std::mutex with annotations. Abseil's mutex as packaged is not instrumented, so ThreadSanitizer
// would report false races; std::mutex it knows.
class SPILLWAY_CAPABILITY("mutex") Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() SPILLWAY_ACQUIRE() { mutex_.lock(); }
  void Unlock() SPILLWAY_RELEASE() { mutex_.unlock(); }
  bool TryLock() SPILLWAY_TRY_ACQUIRE(true) { return mutex_.try_lock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

// Holds a Mutex for a scope.
class SPILLWAY_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) SPILLWAY_ACQUIRE(mutex) : mutex_(mutex) { mutex_.Lock(); }
  ~MutexLock() SPILLWAY_RELEASE() { mutex_.Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// Condition variable for Mutex. Waits may wake without cause: call them in a loop over the
// condition.
class CondVar {
 public:
  CondVar() = default;
  CondVar(const CondVar&) = delete;
  CondVar& operator=(const CondVar&) = delete;

  void Wait(Mutex& mutex) SPILLWAY_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    cond_.wait(lock);
    lock.release();
  }
  // False when the time passed without a wake-up.
  bool WaitUntil(Mutex& mutex, std::chrono::steady_clock::time_point deadline)
      SPILLWAY_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    const bool woken = cond_.wait_until(lock, deadline) == std::cv_status::no_timeout;
    lock.release();
    return woken;
  }
  bool WaitFor(Mutex& mutex, std::chrono::nanoseconds timeout) SPILLWAY_REQUIRES(mutex) {
    return WaitUntil(mutex,
                     std::chrono::steady_clock::now() +
                         std::chrono::duration_cast<std::chrono::steady_clock::duration>(timeout));
  }
  void NotifyOne() { cond_.notify_one(); }
  void NotifyAll() { cond_.notify_all(); }

 private:
  std::condition_variable cond_;
};

}  // namespace spillway
