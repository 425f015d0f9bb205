#include "services/edge/upstream/link_runtime_resolver.h"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/mutex.h"

namespace spillway::edge {

absl::StatusOr<std::vector<std::string>> ResolveAll(const std::string& host_port) {
  const size_t colon = host_port.rfind(':');
  if (colon == std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat("'", host_port, "' is not host:port"));
  }
  std::string host = host_port.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &found); error != 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot resolve '", host, "': ", ::gai_strerror(error)));
  }
  std::vector<std::string> addresses;
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    char text[NI_MAXHOST];
    if (::getnameinfo(entry->ai_addr, entry->ai_addrlen, text, sizeof text, nullptr, 0,
                      NI_NUMERICHOST) != 0) {
      continue;
    }
    const std::string port = host_port.substr(colon);
    addresses.push_back(entry->ai_family == AF_INET6 ? absl::StrCat("[", text, "]", port)
                                                     : absl::StrCat(text, port));
  }
  ::freeaddrinfo(found);
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  return addresses;
}

// Shared with the thread, which may outlive the resolver by one lookup.
struct NameResolver::State {
  std::string name;
  std::chrono::milliseconds refresh;
  OnAnswer on_answer;
  Lookup lookup;
  Mutex mutex;
  CondVar wake;
  bool stopped SPILLWAY_GUARDED_BY(mutex) = false;
};

NameResolver::NameResolver(std::string name, std::chrono::milliseconds refresh, OnAnswer on_answer,
                           Lookup lookup)
    : state_(std::make_shared<State>()) {
  state_->name = std::move(name);
  state_->refresh = refresh;
  state_->on_answer = std::move(on_answer);
  state_->lookup = std::move(lookup);
  std::thread([state = state_] { Run(state); }).detach();
}

NameResolver::~NameResolver() {
  MutexLock lock(state_->mutex);
  state_->stopped = true;
  state_->wake.NotifyAll();
}

void NameResolver::Run(const std::shared_ptr<State>& state) {
  for (;;) {
    auto answer = state->lookup(state->name);
    MutexLock lock(state->mutex);
    if (state->stopped) return;
    state->on_answer(std::move(answer));
    const auto next = std::chrono::steady_clock::now() + state->refresh;
    while (!state->stopped && state->wake.WaitUntil(state->mutex, next)) {
    }
    if (state->stopped) return;
  }
}

}  // namespace spillway::edge
