#include "common/auth/key_source.h"

#include <algorithm>
#include <utility>

#include "common/base/strings.h"
#include "common/log/log.h"

namespace spillway::auth {

KeySource::KeySource(std::shared_ptr<const KeySet> keys) : fixed_(std::move(keys)) {}

KeySource::KeySource(Options options, Fetch fetch, const Clock& clock)
    : options_(std::move(options)), fetch_(std::move(fetch)), clock_(&clock), good_(clock.Now()) {}

std::shared_ptr<const KeySet> KeySource::Current() const {
  if (fixed_ != nullptr) return fixed_;
  MutexLock lock(mutex_);
  return keys_;
}

bool KeySource::Miss() {
  if (!options_.remote) return false;
  {
    MutexLock lock(mutex_);
    if (loading_ || missed_) return true;
    const MonoTime now = clock_->Now();
    if (began_ != MonoTime::min() && now - began_ < options_.retry) return false;
    missed_ = true;
    due_ = MonoTime::min();
  }
  if (wake_) wake_();
  return true;
}

MonoTime KeySource::due() const {
  if (fixed_ != nullptr) return MonoTime::max();
  MutexLock lock(mutex_);
  return due_;
}

KeySet::Made KeySource::Parse(const std::string& text) const {
  switch (options_.format) {
    case Format::kSecretLines:
      return KeySet::FromSecretLines(text, options_.algorithms);
    case Format::kPem:
      return KeySet::FromPem(text, options_.algorithms);
    case Format::kJwks:
      break;
  }
  return KeySet::FromJwks(text, options_.algorithms, !options_.remote);
}

void KeySource::Load() {
  if (fixed_ != nullptr) return;
  std::string before;
  {
    MutexLock lock(mutex_);
    loading_ = true;
    missed_ = false;
    began_ = clock_->Now();
    before = text_;
  }
  absl::StatusOr<std::string> text = fetch_();
  KeySet::Made made = nullptr;
  const bool changed = text.ok() && (before.empty() || *text != before);
  if (!text.ok()) {
    made = text.status();
  } else if (changed) {
    made = Parse(*text);
  }

  const MonoTime now = clock_->Now();
  std::string error = made.ok() ? "" : std::string(made.status().message());
  bool news = false;  // as for what is wrong
  {
    MutexLock lock(mutex_);
    loading_ = false;
    news = error != status_.error;
    status_.error = error;
    due_ = now + (made.ok() ? options_.refresh : std::min(options_.refresh, options_.retry));
    if (made.ok()) {
      ++status_.loads;
      good_ = now;
      if (changed) {
        keys_ = *made;
        text_ = *std::move(text);
        status_.keys = keys_->size();
      }
    } else {
      ++status_.failures;
    }
  }
  // One line for each change: what stays wrong is a metric.
  if (!made.ok()) {
    if (news) {
      log::Warn("the keys of tokens could not be loaded; those of before stay",
                {{"source", options_.name}, {"error", error}});
    }
    return;
  }
  if (!changed) return;
  log::Info("new keys of tokens",
            {{"source", options_.name}, {"keys", static_cast<uint64_t>((*made)->size())}});
  for (const std::string& reason : (*made)->left_out()) {
    log::Warn("a key of tokens was left out", {{"source", options_.name}, {"reason", reason}});
  }
}

KeySource::Status KeySource::status() const {
  if (fixed_ != nullptr) return {.keys = fixed_->size(), .error = {}};
  MutexLock lock(mutex_);
  Status status = status_;
  status.age = std::chrono::duration_cast<std::chrono::milliseconds>(clock_->Now() - good_);
  return status;
}

}  // namespace spillway::auth
