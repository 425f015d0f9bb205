#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/ingest/normalise/json_pointer.h"
#include "services/ingest/normalise/text_template.h"
#include "spillway/v1/config_route.pb.h"

namespace spillway::ingest {

// Takes what is wrong: the key below the section that is compiled ("drop[1]") and a message.
using ReportError = std::function<void(const std::string& key, std::string_view what)>;

// What of a record's JSON value is sent, compiled from PayloadConfig. Immutable.
class PayloadPlan {
 public:
  enum class Outcome { kWritten, kMissing, kNotAnObject };

  // With `json` false (raw values) only the empty configuration is accepted.
  static PayloadPlan Compile(const v1::PayloadConfig& config, const Source::Limits& limits,
                             bool json, const ReportError& report);
  PayloadPlan ForTopic(const TopicParts& topic) const;

  // The pointer to the part that is sent.
  const std::string& from() const { return from_text_; }
  // The value is sent as it came.
  bool whole() const { return whole_; }
  bool uses_headers() const;
  // Appends the payload. After ForTopic.
  Outcome Write(const RecordContext& context, std::string& out) const;

 private:
  // What happens to the values at and below one place. Steps form a tree; steps_[0] is the root.
  struct Step {
    bool drop = false;
    bool mask = false;
    std::optional<std::string> rename;
    std::vector<std::pair<std::string, size_t>> children;  // by name or array index
  };
  struct Addition {
    std::string name;
    std::string json;  // as it is written, if there is no template
    std::optional<TextTemplate> text;
  };

  Step* StepAt(const std::string& text, const std::string& key, const ReportError& report);
  const Step* Child(const Step& step, std::string_view name) const;
  void CompileAdditions(const v1::PayloadConfig& config, const Source::Limits& limits,
                        const ReportError& report);
  void CheckRenames(const ReportError& report) const;

  void WriteValue(const JsonDocument& json, const JsonNode& node, const Step& step,
                  std::string& out) const;
  void WriteFields(const JsonDocument& json, const JsonNode& object, const Step& step,
                   const std::vector<std::pair<const Addition*, std::string>>& additions,
                   std::string& out) const;
  bool ReplacedByRename(const JsonDocument& json, const JsonNode& object, const Step& step,
                        std::string_view name) const;

  bool whole_ = true;
  std::string from_text_;
  JsonPointer from_;
  std::vector<std::pair<std::string, Source>> pick_;
  std::vector<Step> steps_{1};
  std::vector<Addition> add_;
};

}  // namespace spillway::ingest
