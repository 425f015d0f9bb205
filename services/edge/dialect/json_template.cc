#include "services/edge/dialect/json_template.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/strings.h"

namespace spillway::edge {
namespace {

constexpr std::pair<JsonField, std::string_view> kNames[] = {
    {JsonField::kChannel, "channel"},
    {JsonField::kClientId, "id"},
    {JsonField::kCode, "code"},
    {JsonField::kComplete, "complete"},
    {JsonField::kConnectionId, "connection_id"},
    {JsonField::kData, "data"},
    {JsonField::kDeleted, "deleted"},
    {JsonField::kDuplicate, "duplicate"},
    {JsonField::kDurable, "durable"},
    {JsonField::kEphemeral, "ephemeral"},
    {JsonField::kEvents, "events"},
    {JsonField::kExpiresMs, "expires_ms"},
    {JsonField::kWithinMs, "within_ms"},
    {JsonField::kAddress, "address"},
    {JsonField::kReconnect, "reconnect"},
    {JsonField::kAfterMs, "after_ms"},
    {JsonField::kFrequency, "frequency"},
    {JsonField::kFrom, "from"},
    {JsonField::kHeartbeatMs, "heartbeat_ms"},
    {JsonField::kKey, "key"},
    {JsonField::kLast, "last"},
    {JsonField::kMatched, "matched"},
    {JsonField::kMessage, "message"},
    {JsonField::kNode, "node"},
    {JsonField::kNowIso, "now_iso"},
    {JsonField::kNowMs, "now_ms"},
    {JsonField::kOffset, "offset"},
    {JsonField::kPartition, "partition"},
    {JsonField::kPattern, "pattern"},
    {JsonField::kPosition, "position"},
    {JsonField::kProtocol, "protocol"},
    {JsonField::kCount, "count"},
    {JsonField::kReason, "reason"},
    {JsonField::kSinceMs, "since_ms"},
    {JsonField::kSlot, "slot"},
    {JsonField::kSnapshot, "snapshot"},
    {JsonField::kSource, "source"},
    {JsonField::kTimeIso, "time_iso"},
    {JsonField::kTimeMs, "time_ms"},
    {JsonField::kTo, "to"},
    {JsonField::kTraceId, "trace_id"},
    {JsonField::kType, "type"},
    {JsonField::kUserId, "user_id"},
};

constexpr int kMaxDepth = 32;

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsHex(char c) { return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool IsNameCharacter(char c) { return (c >= 'a' && c <= 'z') || c == '_'; }

JsonField FindField(std::string_view name) {
  for (const auto& [field, known] : kNames) {
    if (known == name) return field;
  }
  return JsonField::kNone;
}

}  // namespace

std::string_view JsonFieldName(JsonField field) {
  for (const auto& [known, name] : kNames) {
    if (known == field) return name;
  }
  return "";
}

// Reads a template once from left to right (RFC 8259's grammar, with placeholders as values).
class JsonTemplateCompiler {
 public:
  JsonTemplateCompiler(std::string_view text, JsonFields allowed)
      : text_(text), allowed_(allowed) {}

  absl::StatusOr<JsonTemplate> Run() {
    SkipBlanks();
    if (at_ == text_.size()) return JsonTemplate();
    if (Value(0)) {
      SkipBlanks();
      if (at_ != text_.size()) Fail("nothing may follow the value");
    }
    if (!error_.empty()) return absl::InvalidArgumentError(error_);
    if (!literal_.empty()) Flush(JsonField::kNone);
    return std::move(result_);
  }

 private:
  char Peek(size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  void SkipBlanks() {
    while (at_ < text_.size() && IsBlank(text_[at_])) ++at_;
  }
  bool Fail(std::string_view what) { return FailAt(at_, what); }
  bool FailAt(size_t at, std::string_view what) {
    if (error_.empty()) error_ = absl::StrCat("character ", at + 1, ": ", Abs(what));
    return false;
  }
  JsonTemplate::Piece& Flush(JsonField field) {
    JsonTemplate::Piece piece;
    piece.text = std::move(literal_);
    piece.field = field;
    literal_.clear();
    result_.pieces_.push_back(std::move(piece));
    return result_.pieces_.back();
  }
  void TakeTo(size_t end) {
    literal_.append(text_.substr(at_, end - at_));
    at_ = end;
  }

  bool AtPlaceholder() const { return Peek() == '{' && IsNameCharacter(Peek(1)); }

  bool Value(int depth) {
    if (depth > kMaxDepth) return Fail("nested too deeply");
    SkipBlanks();
    const char c = Peek();
    if (AtPlaceholder()) {
      const size_t start = at_;
      JsonField field = JsonField::kNone;
      bool optional = false;
      if (!Placeholder(&field, &optional)) return false;
      if (optional) return FailAt(start, "only a member of an object can be left out by '?'");
      Flush(field);
      return true;
    }
    if (c == '{') return Object(depth);
    if (c == '[') return Array(depth);
    if (c == '"') return String();
    if (c == '-' || IsDigit(c)) return Number();
    for (std::string_view word : {"true", "false", "null"}) {
      if (text_.substr(at_).starts_with(word)) {
        TakeTo(at_ + word.size());
        return true;
      }
    }
    return Fail(at_ == text_.size() ? "a JSON value or a placeholder is missing"
                                    : "neither a JSON value nor a placeholder");
  }

  bool Placeholder(JsonField* field, bool* optional) {
    const size_t start = at_++;
    const size_t name_at = at_;
    while (IsNameCharacter(Peek())) ++at_;
    const std::string_view name = text_.substr(name_at, at_ - name_at);
    *optional = Peek() == '?';
    if (*optional) ++at_;
    if (Peek() != '}') return Fail("'}' is missing after a placeholder's name");
    ++at_;
    *field = FindField(name);
    if (*field != JsonField::kNone && allowed_.Has(*field)) return true;
    std::string what = absl::StrCat("unknown placeholder {", Abs(name), "}; known here:");
    for (const auto& [known, known_name] : kNames) {
      if (allowed_.Has(known)) absl::StrAppend(&what, " {", Abs(known_name), "}");
    }
    return FailAt(start, what);
  }

  bool Object(int depth) {
    TakeTo(at_ + 1);
    SkipBlanks();
    if (Peek() == '}') {
      TakeTo(at_ + 1);
      return true;
    }
    for (bool first = true;; first = false) {
      SkipBlanks();
      const size_t member_at = at_;
      if (Peek() != '"') return Fail("a member's name in quotes is expected");
      std::string before = std::move(literal_);  // so that the member can be set apart
      literal_.clear();
      if (!first) literal_.push_back(',');
      if (!String()) return false;
      SkipBlanks();
      if (Peek() != ':') return Fail("':' is expected after a member's name");
      literal_.push_back(':');
      ++at_;
      SkipBlanks();
      std::string member = std::move(literal_);
      literal_ = std::move(before);
      if (!MemberValue(first, member_at, std::move(member), depth)) return false;
      SkipBlanks();
      if (Peek() == '}') break;
      if (Peek() != ',') return Fail("',' or '}' is expected");
      ++at_;
    }
    TakeTo(at_ + 1);
    return true;
  }

  bool MemberValue(bool first, size_t member_at, std::string member, int depth) {
    if (!AtPlaceholder()) {
      literal_.append(member);
      return Value(depth + 1);
    }
    JsonField field = JsonField::kNone;
    bool optional = false;
    if (!Placeholder(&field, &optional)) return false;
    if (!optional) {
      literal_.append(member);
      Flush(field);
      return true;
    }
    if (first) return FailAt(member_at, "the first member of an object cannot be optional");
    JsonTemplate::Piece& piece = Flush(field);
    piece.optional = true;
    piece.member = std::move(member);
    return true;
  }

  bool Array(int depth) {
    TakeTo(at_ + 1);
    SkipBlanks();
    if (Peek() == ']') {
      TakeTo(at_ + 1);
      return true;
    }
    for (;;) {
      if (!Value(depth + 1)) return false;
      SkipBlanks();
      if (Peek() == ']') break;
      if (Peek() != ',') return Fail("',' or ']' is expected");
      TakeTo(at_ + 1);
    }
    TakeTo(at_ + 1);
    return true;
  }

  bool String() {
    size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != '"') {
      const char c = text_[end];
      if (static_cast<unsigned char>(c) < 0x20) {
        return FailAt(end, "a control character within a string");
      }
      if (c == '{' && InString(end)) return false;
      if (c != '\\') {
        ++end;
        continue;
      }
      const char escape = end + 1 < text_.size() ? text_[end + 1] : '\0';
      if (escape == 'u') {
        for (size_t i = 2; i < 6; ++i) {
          if (end + i >= text_.size() || !IsHex(text_[end + i])) return FailAt(end, "a bad escape");
        }
        end += 6;
      } else if (escape != '\0' &&
                 std::string_view("\"\\/bfnrt").find(escape) != std::string_view::npos) {
        end += 2;
      } else {
        return FailAt(end, "a bad escape");
      }
    }
    if (end >= text_.size()) return Fail("a string does not end");
    TakeTo(end + 1);
    return true;
  }

  // True, with an error, if a placeholder stands at `at`, within a string.
  bool InString(size_t at) {
    size_t end = at + 1;
    while (end < text_.size() && IsNameCharacter(text_[end])) ++end;
    const std::string_view name = text_.substr(at + 1, end - at - 1);
    if (FindField(name) == JsonField::kNone) return false;
    if (end < text_.size() && text_[end] == '?') ++end;
    if (end >= text_.size() || text_[end] != '}') return false;
    FailAt(at, "a placeholder stands for a whole value: take the quotes around it away");
    return true;
  }

  bool Number() {
    size_t end = at_;
    if (text_[end] == '-') ++end;
    const auto digits = [&] {
      const size_t start = end;
      while (end < text_.size() && IsDigit(text_[end])) ++end;
      return end - start;
    };
    const size_t whole_at = end;
    const size_t whole = digits();
    bool good = whole == 1 || (whole > 1 && text_[whole_at] != '0');
    if (good && end < text_.size() && text_[end] == '.') {
      ++end;
      good = digits() > 0;
    }
    if (good && end < text_.size() && (text_[end] == 'e' || text_[end] == 'E')) {
      ++end;
      if (end < text_.size() && (text_[end] == '+' || text_[end] == '-')) ++end;
      good = digits() > 0;
    }
    if (!good) return Fail("not a JSON number");
    TakeTo(end);
    return true;
  }

  const std::string_view text_;
  const JsonFields allowed_;
  size_t at_ = 0;
  std::string literal_;
  std::string error_;
  JsonTemplate result_;
};

absl::StatusOr<JsonTemplate> JsonTemplate::Compile(std::string_view text, JsonFields allowed) {
  return JsonTemplateCompiler(text, allowed).Run();
}

}  // namespace spillway::edge
