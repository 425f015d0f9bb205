#include "services/ingest/normalise/emit_plan.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/strings.h"
#include "common/channel/channel_pattern.h"
#include "common/config/scalars.h"
#include "spillway/v1/event.pb.h"

namespace spillway::ingest {
namespace {

int PriorityOf(std::string_view name) {
  if (name == "low") return v1::PRIORITY_LOW;
  if (name == "normal" || name == "medium") return v1::PRIORITY_MEDIUM;
  if (name == "high") return v1::PRIORITY_HIGH;
  return v1::PRIORITY_UNSPECIFIED;
}

TextTemplate CompileTemplate(const std::string& text, const Source::Limits& limits,
                             const std::string& key, const ReportError& report) {
  absl::StatusOr<TextTemplate> compiled = TextTemplate::Parse(text, limits);
  if (compiled.ok()) return *std::move(compiled);
  report(key, absl::StrCat("in \"", text, "\": ", compiled.status().message()));
  return {};
}

void CompileChannels(const v1::EmitConfig& config, const Source::Limits& limits,
                     const ReportError& report, EmitPlan& plan) {
  for (int i = 0; i < config.channels_size(); ++i) {
    const std::string key = absl::StrCat("channels[", i, "]");
    const std::string& text = config.channels(i);
    absl::StatusOr<TextTemplate> channel = TextTemplate::Parse(text, limits);
    if (!channel.ok()) {
      report(key, absl::StrCat("in \"", text, "\": ", channel.status().message()));
      continue;
    }
    const auto pattern = ChannelPattern::Parse(channel->Pattern());
    if (pattern.ok()) {
      plan.channels.push_back(*std::move(channel));
    } else {
      report(key,
             absl::StrCat("\"", text, "\" can never be a channel: ", pattern.status().message()));
    }
  }
}

void CompileConditions(const v1::EmitConfig& config, const Source::Limits& limits,
                       const ReportError& report, EmitPlan& plan) {
  for (int i = 0; i < config.when_size(); ++i) {
    const v1::ConditionConfig& when = config.when(i);
    absl::StatusOr<Source> source = Source::Parse(when.source(), limits);
    if (!source.ok()) {
      report(absl::StrCat("when[", i, "].source"), Std(source.status().message()));
      continue;
    }
    EmitPlan::Condition condition{
        *std::move(source), {when.equals().begin(), when.equals().end()}, {}};
    if (when.has_exists()) condition.exists = when.exists();
    if (condition.equals.empty() && !condition.exists) condition.exists = true;
    plan.when.push_back(std::move(condition));
  }
}

TimeUnit UnitOf(v1::TimeFormat format) {
  switch (format) {
    case v1::TIME_FORMAT_S:
      return TimeUnit::kSeconds;
    case v1::TIME_FORMAT_US:
      return TimeUnit::kMicros;
    case v1::TIME_FORMAT_NS:
      return TimeUnit::kNanos;
    case v1::TIME_FORMAT_ISO8601:
      return TimeUnit::kIso8601;
    default:
      return TimeUnit::kMillis;
  }
}

void CompileMetadata(const v1::EmitConfig& config, const Source::Limits& limits,
                     const ReportError& report, EmitPlan& plan) {
  plan.type = CompileTemplate(config.type(), limits, "type", report);
  if (config.type().empty()) report("type", "must not be empty");
  for (const auto& [from, to] : config.type_map()) plan.type_map.emplace(from, to);
  plan.key = CompileTemplate(config.key(), limits, "key", report);
  if (!config.event_time().source().empty()) {
    absl::StatusOr<Source> source = Source::Parse(config.event_time().source(), limits);
    if (source.ok()) {
      plan.time = *std::move(source);
    } else {
      report("event_time.source", Std(source.status().message()));
    }
  }
  plan.time_unit = UnitOf(config.event_time().format());
  plan.priority = CompileTemplate(config.priority(), limits, "priority", report);
  for (const auto& [from, to] : config.priority_map()) {
    plan.priority_map[from] = PriorityOf(to);
    if (PriorityOf(to) == 0) {
      report(absl::StrCat("priority_map.", from),
             absl::StrCat("expected low, normal or high, found \"", to, "\""));
    }
  }
  const std::string* constant = plan.priority.constant();
  if (constant != nullptr && !constant->empty() && plan.MapPriority(*constant) == 0) {
    report("priority",
           absl::StrCat("expected low, normal, high or a template, found \"", *constant, "\""));
  }
  plan.trace_id = CompileTemplate(config.trace_id(), limits, "trace_id", report);
}

void CompileSnapshot(const v1::EmitConfig& config, const ReportError& report, EmitPlan& plan) {
  const v1::SnapshotConfig& snapshot = config.snapshot();
  if (snapshot.mode() == v1::SNAPSHOT_MODE_LATEST) plan.snapshot = SnapshotMode::kLatest;
  if (snapshot.mode() == v1::SNAPSHOT_MODE_BY_KEY) plan.snapshot = SnapshotMode::kByKey;
  if (plan.snapshot == SnapshotMode::kByKey && config.key().empty()) {
    report("snapshot.mode", "by_key needs a key template");
  }
  if (snapshot.horizon() == "compacted" || plan.snapshot == SnapshotMode::kNone) return;
  plan.horizon_ms = config::ParseDurationMs(snapshot.horizon());
  if (!plan.horizon_ms || *plan.horizon_ms <= 0) {
    report("snapshot.horizon",
           absl::StrCat("expected compacted or a duration such as 10m, found \"",
                        snapshot.horizon(), "\""));
  }
}

}  // namespace

bool EmitPlan::Condition::Holds(const RecordContext& context) const {
  const std::optional<SourceValue> value = source.Any(context);
  const bool there =
      value.has_value() && (value->node == nullptr || value->node->type != JsonNode::Type::kNull);
  if (exists && *exists != there) return false;
  if (equals.empty()) return true;
  return there && std::find(equals.begin(), equals.end(), value->text) != equals.end();
}

EmitPlan EmitPlan::Compile(const v1::EmitConfig& config, const Source::Limits& limits, bool decoded,
                           const ReportError& report) {
  EmitPlan plan;
  CompileChannels(config, limits, report, plan);
  plan.optional = config.optional();
  CompileConditions(config, limits, report, plan);
  CompileMetadata(config, limits, report, plan);
  CompileSnapshot(config, report, plan);
  plan.payload = PayloadPlan::Compile(
      config.payload(), limits, decoded, [&](const std::string& key, std::string_view what) {
        report(key.empty() ? "payload" : absl::StrCat("payload.", key), what);
      });
  return plan;
}

EmitPlan EmitPlan::ForTopic(const TopicParts& topic) const {
  EmitPlan bound = *this;
  for (TextTemplate& channel : bound.channels) channel = channel.ForTopic(topic);
  for (Condition& condition : bound.when) condition.source = condition.source.ForTopic(topic);
  bound.type = type.ForTopic(topic);
  bound.key = key.ForTopic(topic);
  if (time) bound.time = time->ForTopic(topic);
  bound.priority = priority.ForTopic(topic);
  bound.trace_id = trace_id.ForTopic(topic);
  bound.payload = payload.ForTopic(topic);
  return bound;
}

std::string_view EmitPlan::MapType(std::string_view rendered) const {
  const auto it = type_map.find(rendered);
  return it == type_map.end() ? rendered : std::string_view(it->second);
}

int EmitPlan::MapPriority(std::string_view rendered) const {
  const auto it = priority_map.find(rendered);
  return it == priority_map.end() ? PriorityOf(rendered) : it->second;
}

bool EmitPlan::uses_headers() const {
  const auto uses = [](const TextTemplate& text) { return text.uses_headers(); };
  return std::any_of(channels.begin(), channels.end(), uses) || uses(type) || uses(key) ||
         uses(priority) || uses(trace_id) || (time && time->uses_headers()) ||
         payload.uses_headers() || std::any_of(when.begin(), when.end(), [](const Condition& one) {
           return one.source.uses_headers();
         });
}

}  // namespace spillway::ingest
