#include "common/config/interpolate.h"

#include <optional>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/strings.h"

namespace spillway::config {
namespace {

constexpr int kMaxDepth = 8;

bool IsVariableName(std::string_view name) {
  if (name.empty() || absl::ascii_isdigit(static_cast<unsigned char>(name[0]))) return false;
  for (const char c : name) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '_') return false;
  }
  return true;
}

// The index of the brace that closes the one just before `from`; npos when there is none.
size_t ClosingBrace(std::string_view text, size_t from) {
  int depth = 1;
  for (size_t i = from; i < text.size(); ++i) {
    if (text[i] == '{' && text[i - 1] == '$') ++depth;
    if (text[i] == '}' && --depth == 0) return i;
  }
  return std::string_view::npos;
}

absl::StatusOr<std::string> ExpandText(std::string_view text, const Environment& environment,
                                       int depth, bool& changed);

absl::StatusOr<std::string> ReadSecret(std::string_view path, const Environment& environment) {
  absl::StatusOr<std::string> content = environment.ReadFile(std::string(path));
  if (!content.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot read file ", Abs(path), ": ", content.status().message()));
  }
  if (content->ends_with('\n')) content->pop_back();
  if (content->ends_with('\r')) content->pop_back();
  return content;
}

absl::StatusOr<std::string> Expand(std::string_view body, const Environment& environment, int depth,
                                   bool& changed) {
  if (body.starts_with("file:")) return ReadSecret(body.substr(5), environment);
  const size_t colon = body.find(':');
  const std::string name(body.substr(0, colon));
  if (!IsVariableName(name)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"${", Abs(body),
                     "}\" is not ${NAME}, ${NAME:-default}, ${NAME:?message} or ${file:PATH}; "
                     "write $$ for a $"));
  }
  const std::optional<std::string> value = environment.Get(name);
  if (colon == std::string_view::npos) {
    if (value.has_value()) return *value;
    return absl::InvalidArgumentError(absl::StrCat("environment variable ", name, " is not set"));
  }
  const std::string_view rest = body.substr(colon + 1);
  if (rest.starts_with('-')) {
    if (value.has_value() && !value->empty()) return *value;
    return ExpandText(rest.substr(1), environment, depth + 1, changed);
  }
  if (rest.starts_with('?')) {
    if (value.has_value() && !value->empty()) return *value;
    return absl::InvalidArgumentError(
        absl::StrCat("environment variable ", name, value.has_value() ? " is empty" : " is not set",
                     rest.size() > 1 ? ": " : "", Abs(rest.substr(1))));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("after ${", name, ": expected - or ?, found \"", Abs(rest), "\""));
}

absl::StatusOr<std::string> ExpandText(std::string_view text, const Environment& environment,
                                       int depth, bool& changed) {
  if (depth > kMaxDepth) return absl::InvalidArgumentError("${...} is nested too deeply");
  std::string out;
  for (size_t i = 0; i < text.size();) {
    if (text[i] != '$' || i + 1 == text.size() || (text[i + 1] != '$' && text[i + 1] != '{')) {
      out += text[i++];
      continue;
    }
    if (text[i + 1] == '$') {
      out += '$';
      i += 2;
      continue;
    }
    const size_t end = ClosingBrace(text, i + 2);
    if (end == std::string_view::npos) {
      return absl::InvalidArgumentError("${ without its }; write $$ for a $");
    }
    absl::StatusOr<std::string> value =
        Expand(text.substr(i + 2, end - i - 2), environment, depth, changed);
    if (!value.ok()) return value;
    changed = true;
    out += *value;
    i = end + 1;
  }
  return out;
}

}  // namespace

absl::StatusOr<Interpolated> Interpolate(std::string_view text, const Environment& environment) {
  Interpolated result;
  absl::StatusOr<std::string> expanded = ExpandText(text, environment, 0, result.changed);
  if (!expanded.ok()) return expanded.status();
  result.text = *std::move(expanded);
  return result;
}

}  // namespace spillway::config
