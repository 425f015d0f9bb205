#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/auth/jwt.h"
#include "common/base/clock.h"
#include "tools/token/token_command.h"

namespace {

std::optional<std::string> Environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

absl::StatusOr<std::string> Run(const spillway::tools::TokenCommand& command) {
  auto secret = spillway::tools::ReadSecret(command, Environment);
  if (!secret.ok()) return secret.status();
  return spillway::auth::SignHs256(*secret,
                                   spillway::tools::TokenClaims(command, spillway::Clock::Real()));
}

}  // namespace

int main(int argc, char** argv) {
  const auto command =
      spillway::tools::ParseTokenCommand(std::vector<std::string>(argv + 1, argv + argc));
  if (command.ok() && command->help) {
    std::fputs(spillway::tools::kTokenUsage, stdout);
    return 0;
  }
  const auto token = command.ok() ? Run(*command) : absl::StatusOr<std::string>(command.status());
  if (!token.ok()) {
    std::fprintf(stderr, "spillway-token: %s\n", std::string(token.status().message()).c_str());
    return 2;
  }
  std::printf("%s\n", token->c_str());
  return 0;
}
