#include "services/ingest/normalise/source.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/strings.h"

namespace spillway::ingest {

absl::StatusOr<Source::Alternative> Source::ParseOne(std::string_view text, const Limits& limits) {
  Alternative one{Kind::kKey, "", 0, {}};
  if (text == "key") return one;
  if (text == "topic") {
    one.kind = Kind::kTopic;
    return one;
  }
  if (text.starts_with("header.") && text.size() > 7) {
    one.kind = Kind::kHeader;
    one.name = std::string(text.substr(7));
    return one;
  }
  if (text.starts_with("topic.match.")) {
    one.kind = Kind::kTopicGroup;
    if (!absl::SimpleAtoi(Abs(text.substr(12)), &one.index) || one.index > limits.groups) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", Abs(text), "\" names a group, but topics_regex has ", limits.groups));
    }
    return one;
  }
  if (text.starts_with("topic.")) {
    one.kind = Kind::kTopicPart;
    if (!absl::SimpleAtoi(Abs(text.substr(6)), &one.index) || one.index == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", Abs(text), "\" does not name a part of the topic; they count from 1"));
    }
    return one;
  }
  const std::string_view pointer_text = text.starts_with("json./") ? text.substr(5) : text;
  if (pointer_text.starts_with('/')) {
    std::optional<JsonPointer> pointer = ParseJsonPointer(pointer_text);
    if (!pointer) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", Abs(text), "\" is not a JSON pointer: ~ stands only before 0 or 1"));
    }
    if (!limits.pointers) {
      return absl::InvalidArgumentError(absl::StrCat(
          "\"", Abs(text), "\" is a JSON pointer, but raw values are not looked into"));
    }
    one.kind = Kind::kPointer;
    one.pointer = *std::move(pointer);
    return one;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", Abs(text),
      "\" is not key, header.NAME, topic, topic.N, topic.match.N or a JSON pointer such as /a/b"));
}

absl::StatusOr<Source> Source::Parse(std::string_view text, const Limits& limits) {
  Source source;
  source.text_ = std::string(text);
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('|', begin), text.size());
    absl::StatusOr<Alternative> one = ParseOne(text.substr(begin, end - begin), limits);
    if (!one.ok()) return one.status();
    source.alternatives_.push_back(*std::move(one));
    begin = end + 1;
  }
  return source;
}

Source Source::ForTopic(const TopicParts& topic) const {
  Source bound;
  bound.text_ = text_;
  for (const Alternative& one : alternatives_) {
    Alternative copy = one;
    if (one.kind == Kind::kTopic) {
      copy.name = topic.name;
    } else if (one.kind == Kind::kTopicPart) {
      if (one.index > topic.parts.size()) continue;
      copy.name = topic.parts[one.index - 1];
    } else if (one.kind == Kind::kTopicGroup) {
      if (one.index >= topic.groups.size()) continue;
      copy.name = topic.groups[one.index];
    } else {
      bound.alternatives_.push_back(std::move(copy));
      continue;
    }
    if (copy.name.empty()) continue;  // an optional group that took no part
    copy.kind = Kind::kConstant;
    bound.alternatives_.push_back(std::move(copy));
    break;  // it is always there: nothing after it counts
  }
  return bound;
}

Source Source::Below(const JsonPointer& prefix) const {
  Source moved = *this;
  for (Alternative& one : moved.alternatives_) {
    if (one.kind == Kind::kPointer) {
      one.pointer.insert(one.pointer.begin(), prefix.begin(), prefix.end());
    }
  }
  return moved;
}

std::optional<SourceValue> Source::Get(const Alternative& one, const RecordContext& context) {
  switch (one.kind) {
    case Kind::kConstant:
      return SourceValue{one.name, nullptr};
    case Kind::kKey:
      // Producers without keys send empty ones, too.
      if (!context.record.key || context.record.key->empty()) return std::nullopt;
      return SourceValue{*context.record.key, nullptr};
    case Kind::kHeader:
      for (const HeaderView& header : context.record.headers) {
        if (header.name == one.name) return SourceValue{header.value, nullptr};
      }
      return std::nullopt;
    case Kind::kPointer:
      if (const JsonNode* node = context.json.Find(one.pointer))
        return SourceValue{node->text, node};
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

std::optional<SourceValue> Source::Text(const RecordContext& context) const {
  for (const Alternative& one : alternatives_) {
    const std::optional<SourceValue> value = Get(one, context);
    if (!value || value->text.empty()) continue;
    if (value->node != nullptr && (value->node->type < JsonNode::Type::kString ||
                                   value->node->type == JsonNode::Type::kNull)) {
      continue;
    }
    return value;
  }
  return std::nullopt;
}

std::optional<SourceValue> Source::Any(const RecordContext& context) const {
  for (const Alternative& one : alternatives_) {
    if (const std::optional<SourceValue> value = Get(one, context)) return value;
  }
  return std::nullopt;
}

bool Source::uses_json() const {
  return std::any_of(alternatives_.begin(), alternatives_.end(),
                     [](const Alternative& one) { return one.kind == Kind::kPointer; });
}

bool Source::uses_headers() const {
  return std::any_of(alternatives_.begin(), alternatives_.end(),
                     [](const Alternative& one) { return one.kind == Kind::kHeader; });
}

std::optional<std::string_view> Source::constant() const {
  if (alternatives_.size() != 1 || alternatives_[0].kind != Kind::kConstant) return std::nullopt;
  return alternatives_[0].name;
}

}  // namespace spillway::ingest
