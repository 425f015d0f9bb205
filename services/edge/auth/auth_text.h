#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/edge/session/auth_service.h"

namespace spillway::edge {

// What is said to an authentication service and by it, as JSON (docs/security.md). Pure; any
// thread.

// The question without whoever asks, which tells questions apart: an object without its end.
std::string QuestionText(const AuthQuestion& question);
// All of it.
std::string WholeQuestion(std::string text, std::string_view correlation_id);

// An answer as it was understood.
struct AuthAnswer {
  AuthVerdictRef verdict;                           // allowed or refused
  std::optional<std::chrono::milliseconds> keep{};  // no longer than this, if the service says so
  size_t bytes = 0;                                 // what it costs to keep the verdict, about
};

// InvalidArgument for what is no answer: another status than 200, 401 and 403, or a body that is
// not as it should be. The error shows nothing of the body.
absl::StatusOr<AuthAnswer> ParseAuthAnswer(long status, std::string_view body);

}  // namespace spillway::edge
