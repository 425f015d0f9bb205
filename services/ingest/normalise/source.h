#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/ingest/normalise/json_document.h"
#include "services/ingest/normalise/types.h"

namespace spillway::ingest {

// A concrete topic, split for templates.
struct TopicParts {
  std::string name;
  std::vector<std::string> parts;   // between dots
  std::vector<std::string> groups;  // of topics_regex; [0] is the whole name
};

// A record while it is looked at. `json` has no nodes for raw values and tombstones.
struct RecordContext {
  const RecordInput& record;
  const JsonDocument& json;
};

// What a source gave: `node` is set if it came from a JSON pointer.
struct SourceValue {
  std::string_view text;
  const JsonNode* node = nullptr;
};

// One named value of a record: key, header.NAME, topic, topic.N, topic.match.N or a JSON pointer,
// with alternatives between '|'. Immutable.
class Source {
 public:
  // What may be named where the source stands.
  struct Limits {
    bool pointers = true;
    size_t groups = 0;  // of topics_regex
  };
  // InvalidArgument that says what is wrong.
  static absl::StatusOr<Source> Parse(std::string_view text, const Limits& limits);

  // The same with everything that depends on the topic put in.
  Source ForTopic(const TopicParts& topic) const;
  // The same with every JSON pointer below `prefix`.
  Source Below(const JsonPointer& prefix) const;

  // The first alternative that gives text that is not empty: for a JSON pointer a scalar, not null.
  // After ForTopic.
  std::optional<SourceValue> Text(const RecordContext& context) const;
  // The first alternative that is there at all, containers and null included (then `node` counts).
  std::optional<SourceValue> Any(const RecordContext& context) const;

  const std::string& text() const { return text_; }
  bool uses_json() const;
  bool uses_headers() const;
  // Set if it is the same for every record (after ForTopic).
  std::optional<std::string_view> constant() const;

 private:
  enum class Kind { kKey, kHeader, kTopic, kTopicPart, kTopicGroup, kPointer, kConstant };
  struct Alternative {
    Kind kind;
    std::string name;  // of a header, or the constant
    size_t index = 0;  // of a topic's part or group
    JsonPointer pointer;
  };

  static absl::StatusOr<Alternative> ParseOne(std::string_view text, const Limits& limits);

  static std::optional<SourceValue> Get(const Alternative& one, const RecordContext& context);

  std::string text_;
  std::vector<Alternative> alternatives_;
};

}  // namespace spillway::ingest
