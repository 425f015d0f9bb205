#include "services/ingest/normalise/payload_plan.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/base/json_text.h"
#include "common/base/strings.h"

namespace spillway::ingest {
namespace {

constexpr char kMasked[] = "\"***\"";

// Proto maps have no order; plans have one, so that payloads look the same on every node.
std::map<std::string, std::string> Sorted(
    const google::protobuf::Map<std::string, std::string>& map) {
  return {map.begin(), map.end()};
}

void AppendName(std::string_view name, std::string& out) {
  if (out.back() != '{') out += ',';
  AppendJsonString(&out, name);
  out += ':';
}

}  // namespace

PayloadPlan PayloadPlan::Compile(const v1::PayloadConfig& config, const Source::Limits& limits,
                                 bool json, const ReportError& report) {
  PayloadPlan plan;
  plan.whole_ = config.from().empty() && config.pick().empty() && config.drop().empty() &&
                config.mask().empty() && config.rename().empty() && config.add().empty();
  if (plan.whole_) return plan;
  if (!json) {
    report("", "raw values are sent whole; decode them as json or protobuf to change them");
    return plan;
  }
  plan.from_text_ = config.from();
  if (auto from = ParseJsonPointer(config.from())) {
    plan.from_ = *std::move(from);
  } else {
    report("from", absl::StrCat("\"", config.from(), "\" is not a JSON pointer such as /data"));
  }
  if (!config.pick().empty() &&
      !(config.drop().empty() && config.mask().empty() && config.rename().empty())) {
    report("pick", "cannot be used together with drop, mask or rename");
  }
  for (const auto& [name, text] : Sorted(config.pick())) {
    absl::StatusOr<Source> source = Source::Parse(text, limits);
    if (source.ok()) {
      plan.pick_.emplace_back(name, source->Below(plan.from_));
    } else {
      report(absl::StrCat("pick.", name), Std(source.status().message()));
    }
  }
  for (int i = 0; i < config.drop_size(); ++i) {
    if (Step* step = plan.StepAt(config.drop(i), absl::StrCat("drop[", i, "]"), report)) {
      step->drop = true;
    }
  }
  for (int i = 0; i < config.mask_size(); ++i) {
    if (Step* step = plan.StepAt(config.mask(i), absl::StrCat("mask[", i, "]"), report)) {
      step->mask = true;
    }
  }
  for (const auto& [pointer, name] : Sorted(config.rename())) {
    if (Step* step = plan.StepAt(pointer, absl::StrCat("rename.", pointer), report)) {
      step->rename = name;
    }
  }
  plan.CheckRenames(report);
  plan.CompileAdditions(config, limits, report);
  return plan;
}

void PayloadPlan::CompileAdditions(const v1::PayloadConfig& config, const Source::Limits& limits,
                                   const ReportError& report) {
  JsonDocument literal;
  for (const auto& [name, text] : Sorted(config.add())) {
    Addition addition{name, text, std::nullopt};
    if (!(literal.Parse(text) && literal.root().type >= JsonNode::Type::kString)) {
      absl::StatusOr<TextTemplate> parsed = TextTemplate::Parse(text, limits);
      if (!parsed.ok()) {
        report(absl::StrCat("add.", name), Std(parsed.status().message()));
        continue;
      }
      if (parsed->has_sources()) {
        addition.text = *std::move(parsed);
      } else {
        addition.json = JsonString(*parsed->constant());
      }
    }
    add_.push_back(std::move(addition));
  }
}

void PayloadPlan::CheckRenames(const ReportError& report) const {
  for (const Step& step : steps_) {
    std::set<std::string> names;
    for (const auto& [name, index] : step.children) {
      const auto& renamed = steps_[index].rename;
      if (renamed && !names.insert(*renamed).second) {
        report("rename",
               absl::StrCat("two fields of one object are renamed to \"", *renamed, "\""));
      }
    }
  }
}

PayloadPlan::Step* PayloadPlan::StepAt(const std::string& text, const std::string& key,
                                       const ReportError& report) {
  const std::optional<JsonPointer> pointer = ParseJsonPointer(text);
  if (!pointer || pointer->empty()) {
    report(key, absl::StrCat("\"", text, "\" is not a JSON pointer to a field, such as /a/b"));
    return nullptr;
  }
  size_t at = 0;
  for (const std::string& token : *pointer) {
    const Step* child = Child(steps_[at], token);
    if (child == nullptr) {
      steps_[at].children.emplace_back(token, steps_.size());
      at = steps_.size();
      steps_.emplace_back();
    } else {
      at = static_cast<size_t>(child - steps_.data());
    }
  }
  return &steps_[at];
}

const PayloadPlan::Step* PayloadPlan::Child(const Step& step, std::string_view name) const {
  for (const auto& [key, index] : step.children) {
    if (key == name) return &steps_[index];
  }
  return nullptr;
}

PayloadPlan PayloadPlan::ForTopic(const TopicParts& topic) const {
  PayloadPlan bound = *this;
  for (auto& [name, source] : bound.pick_) source = source.ForTopic(topic);
  for (Addition& addition : bound.add_) {
    if (addition.text) addition.text = addition.text->ForTopic(topic);
  }
  return bound;
}

bool PayloadPlan::uses_headers() const {
  return std::any_of(pick_.begin(), pick_.end(),
                     [](const auto& pick) { return pick.second.uses_headers(); }) ||
         std::any_of(add_.begin(), add_.end(), [](const Addition& addition) {
           return addition.text && addition.text->uses_headers();
         });
}

PayloadPlan::Outcome PayloadPlan::Write(const RecordContext& context, std::string& out) const {
  const JsonNode* from = context.json.Find(from_);
  if (from == nullptr) return Outcome::kMissing;
  const bool object = from->type == JsonNode::Type::kObject;
  if (pick_.empty() && add_.empty()) {
    WriteValue(context.json, *from, steps_[0], out);
    return Outcome::kWritten;
  }
  if (!object && pick_.empty()) return Outcome::kNotAnObject;

  std::vector<std::pair<const Addition*, std::string>> additions;
  for (const Addition& addition : add_) {
    std::string text;
    if (!addition.text) {
      text = addition.json;
    } else if (addition.text->Render(context, text, nullptr)) {
      text = JsonString(text);
    } else {
      continue;
    }
    additions.emplace_back(&addition, std::move(text));
  }
  out += '{';
  if (pick_.empty()) WriteFields(context.json, *from, steps_[0], additions, out);
  for (const auto& [picked, source] : pick_) {
    const std::string& name = picked;  // clang 14 lets no lambda capture a binding
    if (std::any_of(additions.begin(), additions.end(),
                    [&](const auto& one) { return one.first->name == name; })) {
      continue;
    }
    const std::optional<SourceValue> value = source.Any(context);
    if (!value) continue;
    AppendName(name, out);
    if (value->node != nullptr) {
      out += value->node->raw;
    } else {
      AppendJsonString(&out, value->text);
    }
  }
  for (const auto& [addition, text] : additions) {
    AppendName(addition->name, out);
    out += text;
  }
  out += '}';
  return Outcome::kWritten;
}

void PayloadPlan::WriteValue(const JsonDocument& json, const JsonNode& node, const Step& step,
                             std::string& out) const {
  if (step.children.empty() || node.type > JsonNode::Type::kArray) {
    out += node.raw;
    return;
  }
  if (node.type == JsonNode::Type::kObject) {
    out += '{';
    WriteFields(json, node, step, {}, out);
    out += '}';
    return;
  }
  out += '[';
  size_t index = 0;
  bool first = true;
  for (uint32_t i = json.FirstChild(node); i != node.next; i = json.node(i).next, ++index) {
    const Step* child = Child(step, std::to_string(index));
    if (child != nullptr && child->drop) continue;
    if (!first) out += ',';
    first = false;
    if (child == nullptr) {
      out += json.node(i).raw;
    } else if (child->mask) {
      out += kMasked;
    } else {
      WriteValue(json, json.node(i), *child, out);
    }
  }
  out += ']';
}

void PayloadPlan::WriteFields(const JsonDocument& json, const JsonNode& object, const Step& step,
                              const std::vector<std::pair<const Addition*, std::string>>& additions,
                              std::string& out) const {
  for (uint32_t i = json.FirstChild(object); i != object.next; i = json.node(i).next) {
    const JsonNode& field = json.node(i);
    const Step* child = Child(step, field.key);
    if (child != nullptr && child->drop) continue;
    const bool renamed = child != nullptr && child->rename.has_value();
    const std::string_view name = renamed ? std::string_view(*child->rename) : field.key;
    if (!renamed && ReplacedByRename(json, object, step, name)) continue;
    if (std::any_of(additions.begin(), additions.end(),
                    [&](const auto& one) { return one.first->name == name; })) {
      continue;
    }
    AppendName(name, out);
    if (child == nullptr) {
      out += field.raw;
    } else if (child->mask) {
      out += kMasked;
    } else {
      WriteValue(json, field, *child, out);
    }
  }
}

bool PayloadPlan::ReplacedByRename(const JsonDocument& json, const JsonNode& object,
                                   const Step& step, std::string_view name) const {
  for (const auto& [key, index] : step.children) {
    const Step& other = steps_[index];
    if (other.rename && *other.rename == name && !other.drop && key != name &&
        json.Find({key}, &object) != nullptr) {
      return true;
    }
  }
  return false;
}

}  // namespace spillway::ingest
