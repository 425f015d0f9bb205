#include "services/edge/auth/auth_text.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/json_text.h"
#include "common/base/strings.h"

namespace spillway::edge {
namespace {

using simdjson::dom::element;

constexpr size_t kMaxReason = 200;
constexpr double kLongestKept = 86'400;
// A claim as it is kept, beside its text: nodes, empty members.
constexpr size_t kBytesOfClaim = 256;

void Add(std::string* text, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  if (text->size() > 1) *text += ',';
  AppendJsonString(text, name);
  *text += ':';
  AppendJsonString(text, value);
}

absl::Status Wrong(absl::string_view what) { return absl::InvalidArgumentError(what); }

// The members that mean something; each once.
struct Members {
  static constexpr size_t kCount = 6;
  static constexpr std::array<std::string_view, kCount> kNames = {
      "allowed", "user", "claims", "expires_at", "max_age", "reason"};
  std::array<std::optional<element>, kCount> values;

  const std::optional<element>& operator[](std::string_view name) const {
    return values[static_cast<size_t>(std::find(kNames.begin(), kNames.end(), name) -
                                      kNames.begin())];
  }
};

absl::StatusOr<Members> MembersOf(simdjson::dom::parser& parser, std::string_view body) {
  simdjson::dom::object object;
  if (parser.parse(body.data(), body.size()).get(object) != simdjson::SUCCESS) {
    return Wrong("the answer is not a JSON object");
  }
  Members members;
  for (const auto& [name, value] : object) {
    const auto known = std::find(Members::kNames.begin(), Members::kNames.end(), name);
    if (known == Members::kNames.end()) continue;
    auto& place = members.values[static_cast<size_t>(known - Members::kNames.begin())];
    if (place.has_value()) return Wrong(absl::StrCat("'", Abs(*known), "' is given twice"));
    place = value;
  }
  // One that is null is as if it were not there.
  for (auto& value : members.values) {
    if (value.has_value() && value->is_null()) value.reset();
  }
  return members;
}

std::string ReasonOf(const Members& members) {
  const std::optional<element>& reason = members["reason"];
  if (!reason.has_value() || !reason->is_string()) return {};
  return std::string(reason->get_string().value_unsafe().substr(0, kMaxReason));
}

// Seconds, from 0 on.
absl::Status TakeSeconds(const Members& members, std::string_view name,
                         std::optional<double>* seconds) {
  const std::optional<element>& value = members[name];
  if (!value.has_value()) return absl::OkStatus();
  double number = 0;
  if (!value->is_number() || value->get_double().get(number) != simdjson::SUCCESS ||
      !(number >= 0)) {
    return Wrong(absl::StrCat("'", Abs(name), "' is no number of seconds"));
  }
  *seconds = number;
  return absl::OkStatus();
}

absl::Status TakeUser(const Members& members, AuthVerdict* verdict) {
  if (const std::optional<element>& user = members["user"]; user.has_value()) {
    if (user->is_string()) {
      verdict->user = std::string(user->get_string().value_unsafe());
    } else if (user->is_int64()) {
      verdict->user = absl::StrCat(user->get_int64().value_unsafe());
    } else {
      return Wrong("'user' is no text");
    }
    if (verdict->user->empty()) return Wrong("'user' is empty");
  }
  if (!verdict->claims.has_value() || verdict->claims->Find("sub") == nullptr) {
    return absl::OkStatus();
  }
  const std::string& sub = verdict->claims->sub();
  if (sub.empty()) return Wrong("the claim 'sub' is empty");
  if (verdict->user.has_value() && *verdict->user != sub) {
    return Wrong("'user' and the claim 'sub' differ");
  }
  verdict->user = sub;
  return absl::OkStatus();
}

int64_t MillisOf(double seconds) {
  return seconds < auth::kLatestSeconds ? static_cast<int64_t>(seconds * 1000)
                                        : AuthVerdict::kNever;
}

void TakeMaxAge(const std::optional<double>& seconds, AuthAnswer* answer) {
  if (!seconds.has_value()) return;
  answer->keep =
      std::chrono::milliseconds(static_cast<int64_t>(std::min(*seconds, kLongestKept) * 1000));
}

absl::StatusOr<AuthAnswer> Allowed(const Members& members, size_t body_bytes) {
  auto verdict = std::make_shared<AuthVerdict>();
  verdict->kind = AuthVerdict::Kind::kAllowed;
  AuthAnswer answer;
  answer.bytes = sizeof(AuthVerdict) + body_bytes;
  if (const std::optional<element>& claims = members["claims"]; claims.has_value()) {
    if (!claims->is_object()) return Wrong("'claims' is no object");
    auto parsed = auth::Claims::Parse(simdjson::minify(*claims));
    if (!parsed.ok()) return Wrong(absl::StrCat("'claims': ", parsed.status().message()));
    answer.bytes += 2 * body_bytes + kBytesOfClaim * parsed->all().size();
    verdict->claims = *std::move(parsed);
  }
  if (absl::Status status = TakeUser(members, verdict.get()); !status.ok()) return status;
  std::optional<double> expires;
  std::optional<double> max_age;
  for (const absl::Status& status :
       {TakeSeconds(members, "expires_at", &expires), TakeSeconds(members, "max_age", &max_age)}) {
    if (!status.ok()) return status;
  }
  if (expires.has_value()) verdict->expires_ms = MillisOf(*expires);
  if (verdict->claims.has_value()) {
    if (const auto exp = verdict->claims->exp(); exp.has_value() && std::isfinite(*exp)) {
      verdict->expires_ms = std::min(verdict->expires_ms, MillisOf(std::max(*exp, 0.0)));
    }
  }
  TakeMaxAge(max_age, &answer);
  answer.verdict = std::move(verdict);
  return answer;
}

// `members`: of its body; null: that says nothing.
AuthAnswer Refused(int status, const Members* members) {
  auto verdict = std::make_shared<AuthVerdict>();
  verdict->kind = AuthVerdict::Kind::kRefused;
  verdict->status = status;
  if (members != nullptr) verdict->reason = ReasonOf(*members);
  AuthAnswer answer;
  answer.bytes = sizeof(AuthVerdict) + verdict->reason.size();
  answer.verdict = std::move(verdict);
  std::optional<double> max_age;
  if (members != nullptr && TakeSeconds(*members, "max_age", &max_age).ok()) {
    TakeMaxAge(max_age, &answer);
  }
  return answer;
}

}  // namespace

std::string QuestionText(const AuthQuestion& question) {
  std::string text = "{";
  Add(&text, "token", question.token);
  Add(&text, "user", question.user);
  Add(&text, "path", question.path);
  Add(&text, "ip", question.ip);
  Add(&text, "origin", question.origin);
  Add(&text, "user_agent", question.user_agent);
  if (question.params.empty()) return text;
  std::string params = "{";
  for (const auto& [name, value] : question.params) Add(&params, name, value);
  absl::StrAppend(&text, text.size() == 1 ? "" : ",", "\"params\":", params, "}");
  return text;
}

std::string WholeQuestion(std::string text, std::string_view correlation_id) {
  Add(&text, "correlation_id", correlation_id);
  text += '}';
  return text;
}

absl::StatusOr<AuthAnswer> ParseAuthAnswer(long status, std::string_view body) {
  simdjson::dom::parser parser;
  if (status == 401 || status == 403) {
    const absl::StatusOr<Members> members = MembersOf(parser, body);
    return Refused(static_cast<int>(status), members.ok() ? &*members : nullptr);
  }
  if (status != 200) return Wrong(absl::StrCat("answered with HTTP status ", status));
  const absl::StatusOr<Members> members = MembersOf(parser, body);
  if (!members.ok()) return members.status();
  const std::optional<element>& allowed = (*members)["allowed"];
  if (!allowed.has_value() || !allowed->is_bool()) {
    return Wrong("the answer has no 'allowed' that is true or false");
  }
  if (!allowed->get_bool().value_unsafe()) return Refused(403, &*members);
  return Allowed(*members, body.size());
}

}  // namespace spillway::edge
