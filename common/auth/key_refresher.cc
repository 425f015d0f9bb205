#include "common/auth/key_refresher.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace spillway::auth {
namespace {

// The clock may be another than the condition's: it is looked at anew this often.
constexpr std::chrono::seconds kLongestWait{1};

}  // namespace

KeyRefresher::KeyRefresher(std::vector<KeySource*> sources, const Clock& clock)
    : sources_(std::move(sources)), clock_(clock) {
  for (KeySource* source : sources_) {
    source->OnMiss([this] {
      MutexLock lock(mutex_);
      woken_ = true;
      changed_.NotifyOne();
    });
  }
}

KeyRefresher::~KeyRefresher() { Stop(); }

MonoTime KeyRefresher::RunDue() {
  MonoTime next = MonoTime::max();
  for (KeySource* source : sources_) {
    {
      MutexLock lock(mutex_);
      if (stopping_) return MonoTime::max();
    }
    if (source->due() <= clock_.Now()) source->Load();
    next = std::min(next, source->due());
  }
  return next;
}

void KeyRefresher::Start() {
  const bool any = std::any_of(sources_.begin(), sources_.end(),
                               [](const KeySource* source) { return source->fixed() == nullptr; });
  if (any) thread_ = std::thread([this] { Run(); });
}

void KeyRefresher::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyOne();
  }
  if (thread_.joinable()) thread_.join();
}

void KeyRefresher::Run() {
  for (;;) {
    {
      MutexLock lock(mutex_);
      if (stopping_) return;
      woken_ = false;
    }
    const MonoTime next = RunDue();
    MutexLock lock(mutex_);
    while (!stopping_ && !woken_ && clock_.Now() < next) {
      // Compared before it is subtracted: `next` may be the end of time.
      const MonoTime now = clock_.Now();
      const auto wait = next > now + kLongestWait ? MonoTime::duration(kLongestWait) : next - now;
      changed_.WaitFor(mutex_, wait);
    }
    if (stopping_) return;
  }
}

}  // namespace spillway::auth
