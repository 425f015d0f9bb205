#include "tools/token/token_command.h"

#include <fstream>
#include <sstream>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/base/json_text.h"

namespace spillway::tools {
namespace {

absl::Status Wrong(std::string_view argument, std::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(std::string(argument), ": ", std::string(why)));
}

// "name=value" cut at the first '='.
absl::StatusOr<std::pair<std::string, std::string>> Pair(const std::string& option,
                                                         const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    return Wrong(option, "write it as NAME=VALUE");
  }
  const std::string name = text.substr(0, equals);
  if (name == "sub" || name == "exp" || name == "iat") {
    return Wrong(option, "sub, exp and iat come from --sub and --ttl");
  }
  return std::pair(name, text.substr(equals + 1));
}

}  // namespace

const char kTokenUsage[] =
    "Prints a JSON Web Token signed with HS256, for demos and tests.\n"
    "usage: spillway-token --sub USER [--ttl 1h] [--claim NAME=TEXT]... [--claim-json "
    "NAME=JSON]...\n"
    "                      [--secret-env JWT_SECRET | --secret-file PATH]\n"
    "The ttl takes h, m and s; a negative one makes a token that has expired.\n";

absl::StatusOr<TokenCommand> ParseTokenCommand(const std::vector<std::string>& args) {
  TokenCommand command;
  for (size_t i = 0; i < args.size(); ++i) {
    std::string option = args[i];
    if (option == "--help" || option == "-h") {
      command.help = true;
      return command;
    }
    std::string value;
    if (const size_t equals = option.find('='); equals != std::string::npos) {
      value = option.substr(equals + 1);
      option.resize(equals);
    } else if (i + 1 < args.size()) {
      value = args[++i];
    } else {
      return Wrong(option, "unknown option, or its value is missing; see --help");
    }
    if (option == "--sub") {
      command.sub = value;
    } else if (option == "--secret-env") {
      command.secret_env = value;
    } else if (option == "--secret-file") {
      command.secret_file = value;
    } else if (option == "--ttl") {
      absl::Duration ttl;
      if (!absl::ParseDuration(value, &ttl) || ttl == absl::InfiniteDuration() ||
          ttl == -absl::InfiniteDuration()) {
        return Wrong(option, "write it as 1h, 30m or 90s");
      }
      command.ttl = std::chrono::seconds(absl::ToInt64Seconds(ttl));
    } else if (option == "--claim" || option == "--claim-json") {
      auto pair = Pair(option, value);
      if (!pair.ok()) return pair.status();
      if (option == "--claim") pair->second = JsonString(pair->second);
      command.claims.push_back(*std::move(pair));
    } else {
      return Wrong(option, "unknown option; see --help");
    }
  }
  if (command.sub.empty()) return Wrong("--sub", "is missing: whom is the token for?");
  return command;
}

std::string TokenClaims(const TokenCommand& command, const Clock& clock) {
  const int64_t now = ToUnixMillis(clock.WallNow()) / 1000;
  std::string json = "{\"sub\":";
  AppendJsonString(&json, command.sub);
  absl::StrAppend(&json, ",\"iat\":", now, ",\"exp\":", now + command.ttl.count());
  for (const auto& [name, value] : command.claims) {
    json += ",";
    AppendJsonString(&json, name);
    absl::StrAppend(&json, ":", value);
  }
  return json + "}";
}

absl::StatusOr<std::string> ReadSecret(
    const TokenCommand& command,
    const std::function<std::optional<std::string>(const std::string&)>& environment) {
  std::string secret;
  std::string where;
  if (!command.secret_file.empty()) {
    where = absl::StrCat("the file '", command.secret_file, "'");
    std::ifstream file(command.secret_file, std::ios::binary);
    std::ostringstream text;
    if (file) text << file.rdbuf();
    secret = text.str();
    while (!secret.empty() && (secret.back() == '\n' || secret.back() == '\r')) secret.pop_back();
  } else {
    where = absl::StrCat("the environment variable ", command.secret_env);
    secret = environment(command.secret_env).value_or("");
  }
  if (secret.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("no secret in ", where));
  }
  return secret;
}

}  // namespace spillway::tools
