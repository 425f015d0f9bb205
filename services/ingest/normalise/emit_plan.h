#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "services/ingest/normalise/event_time.h"
#include "services/ingest/normalise/payload_plan.h"
#include "services/ingest/normalise/text_template.h"
#include "services/ingest/normalise/types.h"
#include "spillway/v1/config_route.pb.h"

namespace spillway::ingest {

// One `emit` of a route, compiled. Plain data; immutable once a CompiledRoute holds it.
struct EmitPlan {
  struct Condition {
    Source source;
    std::vector<std::string> equals;
    std::optional<bool> exists;

    bool Holds(const RecordContext& context) const;
  };

  // Reports every fault; the plan is of use only if there was none. `decoded`: values have JSON
  // pointers.
  static EmitPlan Compile(const v1::EmitConfig& config, const Source::Limits& limits, bool decoded,
                          const ReportError& report);
  EmitPlan ForTopic(const TopicParts& topic) const;

  // The mapped type; the view is of the plan or of `rendered`.
  std::string_view MapType(std::string_view rendered) const;
  // spillway.v1.Priority; 0 for what is no priority.
  int MapPriority(std::string_view rendered) const;
  bool uses_headers() const;

  std::vector<TextTemplate> channels;
  bool optional = false;
  std::vector<Condition> when;
  TextTemplate type;
  std::map<std::string, std::string, std::less<>> type_map;
  TextTemplate key;
  std::optional<Source> time;
  TimeUnit time_unit = TimeUnit::kMillis;
  TextTemplate priority;
  std::map<std::string, int, std::less<>> priority_map;
  TextTemplate trace_id;
  SnapshotMode snapshot = SnapshotMode::kNone;
  std::optional<int64_t> horizon_ms;  // nothing: compacted
  PayloadPlan payload;
};

}  // namespace spillway::ingest
