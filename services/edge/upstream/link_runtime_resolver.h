#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace spillway::edge {

// The addresses ("1.2.3.4:80", "[::1]:80") behind a "host:port", sorted. Blocks.
absl::StatusOr<std::vector<std::string>> ResolveAll(const std::string& host_port);

// Resolves a name again and again on a thread of its own, and tells what it finds. Owned by
// LinkRuntime. Its end does not wait for a lookup under way: the system may take many seconds for
// one.
class NameResolver {
 public:
  using Lookup = std::function<absl::StatusOr<std::vector<std::string>>(const std::string&)>;
  // Called on the resolver's thread, not any more once the resolver is destroyed.
  using OnAnswer = std::function<void(absl::StatusOr<std::vector<std::string>>)>;

  NameResolver(std::string name, std::chrono::milliseconds refresh, OnAnswer on_answer,
               Lookup lookup = ResolveAll);
  ~NameResolver();
  NameResolver(const NameResolver&) = delete;
  NameResolver& operator=(const NameResolver&) = delete;

 private:
  struct State;
  static void Run(const std::shared_ptr<State>& state);

  std::shared_ptr<State> state_;
};

}  // namespace spillway::edge
