#include "services/ingest/normalise/json_document.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <limits>

namespace spillway::ingest {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr int kMaxDepth = 128;
constexpr uint32_t kPairwiseNames = 16;
constexpr size_t kKeptBytes = 1 << 20;

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

std::string_view TrimEnd(std::string_view text) {
  while (!text.empty() && IsSpace(text.back())) text.remove_suffix(1);
  return text;
}

size_t SkipDigits(std::string_view text, size_t i) {
  while (i < text.size() && text[i] >= '0' && text[i] <= '9') ++i;
  return i;
}

// RFC 8259, section 6.
bool IsNumber(std::string_view text) {
  size_t i = text.starts_with('-') ? 1 : 0;
  size_t end = SkipDigits(text, i);
  if (end == i || (text[i] == '0' && end > i + 1)) return false;
  i = end;
  if (i < text.size() && text[i] == '.') {
    end = SkipDigits(text, i + 1);
    if (end == i + 1) return false;
    i = end;
  }
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && (text[i] == '+' || text[i] == '-')) ++i;
    end = SkipDigits(text, i);
    if (end == i) return false;
    i = end;
  }
  return i == text.size();
}

}  // namespace

struct JsonDocument::Parser {
  ondemand::parser parser;
};

// Visits all of a document once, depth first.
class JsonDocument::Walker {
 public:
  explicit Walker(JsonDocument& document) : document_(document), nodes_(document.nodes_) {}

  bool Visit(ondemand::value value, std::string_view key, int depth) {
    if (depth > kMaxDepth) return document_.Fail("nested too deeply");
    const auto index = static_cast<uint32_t>(nodes_.size());
    nodes_.emplace_back();
    nodes_[index].key = key;
    const std::string_view token = TrimEnd(value.raw_json_token());
    if (token.empty()) return document_.Fail("a value is missing");
    bool good = false;
    switch (token[0]) {
      case '{':
        good = VisitObject(value, index, token.data(), depth);
        break;
      case '[':
        good = VisitArray(value, index, token.data(), depth);
        break;
      case '"':
        good = VisitString(value, index, token);
        break;
      default:
        good = VisitOther(index, token);
    }
    nodes_[index].next = static_cast<uint32_t>(nodes_.size());
    return good;
  }

 private:
  bool Fail(simdjson::error_code error) { return document_.Fail(simdjson::error_message(error)); }

  bool VisitObject(ondemand::value& value, uint32_t index, const char* begin, int depth) {
    nodes_[index].type = JsonNode::Type::kObject;
    ondemand::object object;
    if (const auto error = value.get_object().get(object)) return Fail(error);
    for (auto result : object) {
      ondemand::field field;
      if (const auto error = std::move(result).get(field)) return Fail(error);
      std::string_view key;
      if (const auto error = field.unescaped_key().get(key)) return Fail(error);
      if (!Visit(field.value(), key, depth + 1)) return false;
    }
    Close(index, begin);
    if (document_.HasDuplicateNames(index))
      return document_.Fail("a name occurs twice in an object");
    return true;
  }

  bool VisitArray(ondemand::value& value, uint32_t index, const char* begin, int depth) {
    nodes_[index].type = JsonNode::Type::kArray;
    ondemand::array array;
    if (const auto error = value.get_array().get(array)) return Fail(error);
    for (auto result : array) {
      ondemand::value item;
      if (const auto error = std::move(result).get(item)) return Fail(error);
      if (!Visit(item, {}, depth + 1)) return false;
    }
    Close(index, begin);
    return true;
  }

  // The end of a container is the bracket after its last child: the parser has accepted it.
  void Close(uint32_t index, const char* begin) {
    const char* end = begin + 1;
    for (uint32_t child = index + 1; child < nodes_.size(); child = nodes_[child].next) {
      end = nodes_[child].raw.data() + nodes_[child].raw.size();
    }
    while (IsSpace(*end)) ++end;
    nodes_[index].raw = {begin, static_cast<size_t>(end + 1 - begin)};
  }

  bool VisitString(ondemand::value& value, uint32_t index, std::string_view token) {
    nodes_[index].type = JsonNode::Type::kString;
    nodes_[index].raw = token;
    if (const auto error = value.get_string().get(nodes_[index].text)) return Fail(error);
    return true;
  }

  bool VisitOther(uint32_t index, std::string_view token) {
    JsonNode& node = nodes_[index];
    node.raw = token;
    node.text = token;
    if (token == "true") {
      node.type = JsonNode::Type::kTrue;
    } else if (token == "false") {
      node.type = JsonNode::Type::kFalse;
    } else if (token == "null") {
      node.type = JsonNode::Type::kNull;
    } else if (IsNumber(token)) {
      node.type = JsonNode::Type::kNumber;
    } else {
      return document_.Fail("a value is neither a number, true, false nor null");
    }
    return true;
  }

  JsonDocument& document_;
  std::vector<JsonNode>& nodes_;
};

JsonDocument::JsonDocument() : parser_(std::make_unique<Parser>()) {}
JsonDocument::~JsonDocument() = default;

bool JsonDocument::Fail(std::string_view why) {
  error_ = why;
  return false;
}

bool JsonDocument::Parse(std::string_view text) {
  nodes_.clear();
  error_.clear();
  while (!text.empty() && IsSpace(text.front())) text.remove_prefix(1);
  text = TrimEnd(text);
  if (text.empty()) return Fail("empty");
  if (text.size() > std::numeric_limits<uint32_t>::max() / 2) return Fail("too large");
  // On demand, a document that is a scalar has an interface of its own; as the one element of a
  // list it has not.
  const bool scalar = text[0] != '{' && text[0] != '[';
  if (buffer_.capacity() > kKeptBytes && text.size() < kKeptBytes) std::string().swap(buffer_);
  buffer_.clear();
  if (scalar) buffer_ += '[';
  buffer_ += text;
  if (scalar) buffer_ += ']';
  const size_t size = buffer_.size();
  buffer_.append(simdjson::SIMDJSON_PADDING, ' ');

  ondemand::document document;
  ondemand::value value;
  auto error =
      parser_->parser.iterate(simdjson::padded_string_view(buffer_.data(), size, buffer_.size()))
          .get(document);
  if (!error) error = document.get_value().get(value);
  bool good = error ? Fail(simdjson::error_message(error)) : Walker(*this).Visit(value, {}, 0);
  const char* location = nullptr;
  if (good && document.current_location().get(location) != simdjson::OUT_OF_BOUNDS) {
    good = Fail("something follows the value");
  }
  if (good && scalar) {
    if (nodes_.size() < 2 || nodes_[1].next != nodes_.size() ||
        nodes_[1].type <= JsonNode::Type::kArray) {
      good = Fail("not a single value");
    } else {
      nodes_.erase(nodes_.begin());
      nodes_[0].next = 1;
    }
  }
  if (!good) nodes_.clear();
  return good;
}

bool JsonDocument::HasDuplicateNames(uint32_t object) {
  names_.clear();
  for (uint32_t i = object + 1; i < nodes_.size(); i = nodes_[i].next) {
    names_.push_back(nodes_[i].key);
  }
  if (names_.size() <= kPairwiseNames) {
    for (size_t i = 1; i < names_.size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        if (names_[i] == names_[j]) return true;
      }
    }
    return false;
  }
  std::sort(names_.begin(), names_.end());
  return std::adjacent_find(names_.begin(), names_.end()) != names_.end();
}

const JsonNode* JsonDocument::Find(const JsonPointer& pointer, const JsonNode* from) const {
  if (nodes_.empty()) return nullptr;
  const JsonNode* at = from == nullptr ? nodes_.data() : from;
  for (const std::string& token : pointer) {
    const JsonNode* found = nullptr;
    if (at->type == JsonNode::Type::kObject) {
      for (uint32_t i = FirstChild(*at); i != at->next; i = nodes_[i].next) {
        if (nodes_[i].key == token) {
          found = &nodes_[i];
          break;
        }
      }
    } else if (at->type == JsonNode::Type::kArray) {
      uint32_t wanted = 0;
      const char* end = token.data() + token.size();
      const auto [rest, error] = std::from_chars(token.data(), end, wanted);
      if (error != std::errc() || rest != end || (token[0] == '0' && token.size() > 1))
        return nullptr;
      for (uint32_t i = FirstChild(*at); i != at->next; i = nodes_[i].next) {
        if (wanted-- == 0) {
          found = &nodes_[i];
          break;
        }
      }
    }
    if (found == nullptr) return nullptr;
    at = found;
  }
  return at;
}

}  // namespace spillway::ingest
