#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/clock.h"

namespace spillway::tools {

// What the command line of spillway-token asks for.
struct TokenCommand {
  bool help = false;
  std::string secret_env = "JWT_SECRET";
  std::string secret_file;  // read in the variable's place when set
  std::string sub;
  std::chrono::seconds ttl{3600};
  // Name and JSON text, in order.
  std::vector<std::pair<std::string, std::string>> claims;
};

extern const char kTokenUsage[];

// InvalidArgument names the argument and how to write it.
absl::StatusOr<TokenCommand> ParseTokenCommand(const std::vector<std::string>& args);

// The claims as JSON: sub, iat and exp from the command and the clock, then the others.
std::string TokenClaims(const TokenCommand& command, const Clock& clock);

// The secret from the environment or the file (without the newline at its end). An error says where
// it was looked for, never what was found.
absl::StatusOr<std::string> ReadSecret(
    const TokenCommand& command,
    const std::function<std::optional<std::string>(const std::string&)>& environment);

}  // namespace spillway::tools
