#include "services/edge/dialect/json_publish.h"

#include <cstdint>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "common/base/strings.h"

namespace spillway::edge {
namespace {

using simdjson::dom::element;

constexpr size_t kMaxEcho = 64;       // bytes of a client's text in an error
constexpr size_t kMaxKeyBytes = 256;  // of both keys

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// Goes over JSON that is known to be well-formed.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text), at_(text.find('{')) {}

  // Past the beginning of an object, or the comma behind a member, and the member's name.
  void SkipName() {
    ++at_;
    SkipBlanks();
    SkipString();
    SkipBlanks();
    ++at_;  // the colon
    SkipBlanks();
  }
  std::string_view TakeValue() {
    const size_t begin = at_;
    SkipValue();
    const size_t end = at_;
    SkipBlanks();
    return text_.substr(begin, end - begin);
  }

 private:
  char Now() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool done() const { return at_ >= text_.size(); }
  void SkipBlanks() {
    while (!done() && IsBlank(Now())) ++at_;
  }
  void SkipString() {
    for (++at_; !done() && Now() != '"'; ++at_) {
      if (Now() == '\\') ++at_;
    }
    ++at_;
  }
  void SkipValue() {
    if (Now() != '{' && Now() != '[' && Now() != '"') {
      while (!done() && !IsBlank(Now()) && Now() != ',' && Now() != '}') ++at_;
      return;
    }
    int depth = 0;
    do {
      const char c = Now();
      if (c == '"') {
        SkipString();
        continue;
      }
      if (c == '{' || c == '[') ++depth;
      if (c == '}' || c == ']') --depth;
      ++at_;
    } while (depth > 0 && !done());
  }

  const std::string_view text_;
  size_t at_;
};

// Whether an object in it has a name twice. No deeper than the parser lets it be.
bool NamesTwice(element value) {
  if (simdjson::dom::array items; value.get(items) == simdjson::SUCCESS) {
    for (const element item : items) {
      if (NamesTwice(item)) return true;
    }
    return false;
  }
  simdjson::dom::object members;
  if (value.get(members) != simdjson::SUCCESS) return false;
  absl::flat_hash_set<std::string_view> names;
  for (const auto& [name, member] : members) {
    if (!names.insert(name).second || NamesTwice(member)) return true;
  }
  return false;
}

}  // namespace

std::string Echo(std::string_view text) {
  if (text.size() <= kMaxEcho) return absl::StrCat("'", Abs(text), "'");
  size_t size = kMaxEcho;
  while (size > 0 && (static_cast<uint8_t>(text[size]) & 0xC0) == 0x80) --size;
  return absl::StrCat("'", Abs(text.substr(0, size)), "...'");
}

std::string_view JsonMemberText(std::string_view message, size_t member) {
  Scanner scanner(message);
  for (;; --member) {
    scanner.SkipName();
    const std::string_view value = scanner.TakeValue();
    if (member == 0) return value;
  }
}

std::optional<JsonProblem> ReadJsonPublish(simdjson::dom::object object, std::string_view message,
                                           Command* command) {
  std::optional<size_t> data;
  size_t number = 0;
  bool key = false;
  bool idempotency_key = false;
  for (const auto& [name, value] : object) {
    const size_t at = number++;
    if (name == "type" || name == "id") continue;
    const bool twice = (name == "data" && data.has_value()) || (name == "key" && key) ||
                       (name == "channel" && !command->channels.empty()) ||
                       (name == "idempotency_key" && idempotency_key);
    if (twice) return JsonProblem{"bad_message", absl::StrCat(Echo(name), " is given twice")};
    if (name == "data") {
      data = at;
      if (NamesTwice(value)) {
        return JsonProblem{"bad_message", "an object in 'data' has a name twice"};
      }
      continue;
    }
    std::string_view text;
    const bool is_text = value.get_string().get(text) == simdjson::SUCCESS;
    if (name == "channel") {
      if (!is_text) return JsonProblem{"bad_message", "'channel' must be a string"};
      command->channels.push_back(text);
    } else if (name == "key" || name == "idempotency_key") {
      if (!is_text || text.empty() || text.size() > kMaxKeyBytes) {
        return JsonProblem{
            "bad_message",
            absl::StrCat("'", Abs(name), "' must be a string of 1 to ", kMaxKeyBytes, " bytes")};
      }
      (name == "key" ? command->key : command->idempotency_key) = text;
      (name == "key" ? key : idempotency_key) = true;
    } else {
      return JsonProblem{"unknown_key", absl::StrCat("unknown member ", Echo(name))};
    }
  }
  if (command->channels.empty()) return JsonProblem{"missing_field", "'channel' is missing"};
  if (!data.has_value()) return JsonProblem{"missing_field", "'data' is missing"};
  command->data = JsonMemberText(message, *data);
  return std::nullopt;
}

}  // namespace spillway::edge
