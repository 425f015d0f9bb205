#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "common/config/environment.h"
#include "common/config/errors.h"
#include "services/ingest/normalise/emit_plan.h"
#include "services/ingest/normalise/protobuf_decoder.h"
#include "services/ingest/normalise/types.h"
#include "spillway/v1/config_ingest.pb.h"

namespace spillway::ingest {

// A route for one concrete topic: everything that depends on the topic is put in. Immutable, so any
// thread may use it; shared by the normalisers of the topic's partitions.
struct CompiledRoute {
  enum class Format : uint8_t { kJson, kProtobuf, kRaw };

  std::string name;  // of the route
  std::string topic;
  Format format = Format::kJson;
  bool confluent = false;  // framing
  std::shared_ptr<const ProtobufDecoder> protobuf;
  std::vector<EmitPlan> emits;
  std::vector<Feed> feeds;  // what channels the topic can feed; no two alike
  bool needs_headers = false;
  int64_t idempotency_window = 0;  // offsets; 0: repeats are not looked for
  std::optional<bool> compacted;   // what Kafka would say of its topics, if that is not to be asked
  v1::HistoryConfig history;       // what is kept of its partitions
  size_t max_event_bytes = 0;
};

// The configured routes, compiled. Immutable and shared by all threads.
class RouteTable {
 public:
  // InvalidArgument with everything that is wrong, one line each, with file, line and key where
  // `locations` knows them. Descriptor sets are read through `environment`.
  static absl::StatusOr<std::shared_ptr<const RouteTable>> Compile(
      const v1::IngestConfig& config, const config::Locations& locations,
      const config::Environment& environment);

  // The route of a topic: the one that names it, else the first whose topics_regex matches all of
  // its name; nullptr if there is none. Regular expressions never match topics that begin with "__"
  // (Kafka's own), and no route has the control or the audit topic. Does regular expressions and
  // allocates: once for each topic, not for each record.
  std::shared_ptr<const CompiledRoute> Resolve(const std::string& topic) const;

  // Topics that routes name exactly: those that should exist. Sorted.
  const std::vector<std::string>& named_topics() const { return named_topics_; }
  // The same on every node with the same routes.
  uint64_t hash() const { return hash_; }

 private:
  struct Route {
    std::string name;
    std::optional<std::regex> regex;
    CompiledRoute unbound;  // templates still with topic parts
  };

  // `history`: what is kept of partitions where their route says nothing else.
  void AddRoute(const v1::RouteConfig& config, const v1::HistoryConfig& history,
                const ReportError& report, const config::Environment& environment);
  static CompiledRoute Bind(const Route& route, const TopicParts& topic);

  std::vector<Route> routes_;
  std::unordered_map<std::string, size_t> by_topic_;
  std::vector<std::string> named_topics_;
  size_t max_event_bytes_ = 0;
  uint64_t hash_ = 0;
};

}  // namespace spillway::ingest
