#include "services/edge/session/publish_data.h"

#include <simdjson.h>

#include "absl/strings/match.h"
#include "common/base/json_text.h"
#include "common/base/strings.h"

namespace spillway::edge {
namespace {

constexpr size_t kKeptParserBytes = 256 * 1024;

}  // namespace

std::optional<std::string> WithUser(std::string_view json, std::string_view name,
                                    std::string_view user) {
  thread_local std::optional<simdjson::dom::parser> parser;
  // Larger buffers are given back.
  if (!parser.has_value() || parser->capacity() > kKeptParserBytes) parser.emplace();
  simdjson::dom::object object;
  if (parser->parse(json.data(), json.size()).get(object) != simdjson::SUCCESS) return std::nullopt;
  bool empty = true;
  for (const auto& [key, value] : object) {
    if (absl::EqualsIgnoreCase(Abs(key), Abs(name))) return std::nullopt;
    empty = false;
  }
  // A value that ends with its brace: the command's own text of it.
  std::string text(json.substr(0, json.rfind('}')));
  if (!empty) text += ',';
  AppendJsonString(&text, name);
  text += ':';
  if (user.empty()) {
    text += "null";
  } else {
    AppendJsonString(&text, user);
  }
  text += '}';
  return text;
}

}  // namespace spillway::edge
