#include "common/lifecycle/readiness.h"

#include <algorithm>
#include <set>
#include <utility>

#include "common/base/iso_time.h"
#include "common/base/json_text.h"
#include "common/log/log.h"

namespace spillway::lifecycle {
namespace {

void AppendKey(std::string* json, std::string_view key) {
  if (json->back() != '{') json->push_back(',');
  AppendJsonString(json, key);
  json->push_back(':');
}

void AppendMember(std::string* json, std::string_view key, std::string_view value) {
  AppendKey(json, key);
  AppendJsonString(json, value);
}

}  // namespace

Readiness::Readiness(const Clock& clock, Options options)
    : clock_(clock), options_(std::move(options)) {}

void Readiness::Expect(std::string name, std::string state) {
  MutexLock lock(mutex_);
  dependencies_.try_emplace(std::move(name), Dependency{std::move(state), Level::kFailed, ""});
}

void Readiness::Set(std::string_view name, std::string_view state, Level level,
                    std::string_view detail) {
  {
    MutexLock lock(mutex_);
    auto it = dependencies_.find(name);
    if (it == dependencies_.end()) it = dependencies_.emplace(name, Dependency()).first;
    Dependency& dependency = it->second;
    const bool same = dependency.state == state && dependency.level == level;
    dependency.detail = std::string(detail);
    if (same) return;
    dependency.state = std::string(state);
    dependency.level = level;
  }
  log::Write(level == Level::kOk ? log::Level::kInfo : log::Level::kWarn, "dependency changed",
             {{"dependency", name}, {"state", state}, {"detail", detail}});
}

void Readiness::SetMember(std::string_view name, std::string json) {
  MutexLock lock(mutex_);
  members_.insert_or_assign(std::string(name), std::move(json));
}

void Readiness::Drain(bool draining) {
  MutexLock lock(mutex_);
  draining_ = draining;
}

bool Readiness::ReadyLocked() const {
  return !draining_ && std::none_of(dependencies_.begin(), dependencies_.end(),
                                    [](const auto& d) { return d.second.level == Level::kFailed; });
}

bool Readiness::ready() const {
  MutexLock lock(mutex_);
  return ReadyLocked();
}

Readiness::Document Readiness::Render() const {
  const std::string now = IsoTime(clock_.WallNow());
  MutexLock lock(mutex_);
  Document document;
  document.ready = ReadyLocked();
  const bool degraded = std::any_of(dependencies_.begin(), dependencies_.end(), [](const auto& d) {
    return d.second.level == Level::kDegraded;
  });
  std::string_view status = document.ready ? "ready" : "not_ready";
  if (document.ready && degraded && options_.report_degraded) status = "degraded";

  std::set<std::string_view> used = {"status", "timestamp", "dependencies", "details", "draining"};
  std::string& json = document.json;
  json = "{";
  AppendMember(&json, "status", status);
  AppendMember(&json, "timestamp", now);
  for (const auto& [key, value] : options_.info) {
    if (used.insert(key).second) AppendMember(&json, key, value);
  }
  if (draining_) {
    AppendKey(&json, "draining");
    json += "true";
  }
  std::string states = "{";
  std::string details = "{";
  for (const auto& [name, dependency] : dependencies_) {
    if (used.insert(name).second) AppendMember(&json, name, dependency.state);
    AppendMember(&states, name, dependency.state);
    if (!dependency.detail.empty()) AppendMember(&details, name, dependency.detail);
  }
  AppendKey(&json, "dependencies");
  json += states + "}";
  AppendKey(&json, "details");
  json += details + "}";
  for (const auto& [name, value] : members_) {
    if (!used.insert(name).second) continue;
    AppendKey(&json, name);
    json += value;
  }
  json += "}";
  return document;
}

}  // namespace spillway::lifecycle
