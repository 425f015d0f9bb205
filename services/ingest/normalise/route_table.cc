#include "services/ingest/normalise/route_table.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/strings.h"
#include "common/channel/channel_hash.h"

namespace spillway::ingest {
namespace {

// Stands for a route in by_topic_: no route may have the topic.
constexpr size_t kReserved = SIZE_MAX;

// Map fields in sorted order, so that equal configurations have equal bytes.
std::string DeterministicBytes(const v1::IngestConfig& config) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  for (const v1::RouteConfig& route : config.routes()) route.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

std::shared_ptr<const ProtobufDecoder> CompileProtobuf(const v1::DecodeConfig& config,
                                                       const config::Environment& environment,
                                                       const ReportError& report) {
  const absl::StatusOr<std::string> bytes = environment.ReadFile(config.descriptor_set());
  if (!bytes.ok()) {
    report("decode.descriptor_set",
           absl::StrCat("cannot read ", config.descriptor_set(), ": ", bytes.status().message()));
    return nullptr;
  }
  auto decoder = ProtobufDecoder::Create(*bytes, config.message());
  if (decoder.ok()) return *std::move(decoder);
  report("decode", absl::StrCat(config.descriptor_set(), ": ", decoder.status().message()));
  return nullptr;
}

v1::HistoryConfig Override(v1::HistoryConfig of_all, const v1::RouteHistoryConfig& own) {
  if (own.has_bytes_per_partition()) of_all.set_bytes_per_partition(own.bytes_per_partition());
  if (own.has_age()) of_all.set_age(own.age());
  if (own.has_snapshot_bytes()) of_all.set_snapshot_bytes(own.snapshot_bytes());
  if (own.has_reread_records()) of_all.set_reread_records(own.reread_records());
  if (own.has_reread_bytes()) of_all.set_reread_bytes(own.reread_bytes());
  if (own.has_catch_up_records()) of_all.set_catch_up_records(own.catch_up_records());
  return of_all;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const RouteTable>> RouteTable::Compile(
    const v1::IngestConfig& config, const config::Locations& locations,
    const config::Environment& environment) {
  auto table = std::make_shared<RouteTable>();
  table->max_event_bytes_ = static_cast<size_t>(config.limits().max_event_bytes());
  // What is in these is not for clients.
  for (const std::string& topic : {config.control().topic(), config.audit().topic()}) {
    if (!topic.empty()) table->by_topic_.emplace(topic, kReserved);
  }
  config::Errors errors;
  for (int i = 0; i < config.routes_size(); ++i) {
    const std::string path = absl::StrCat("ingest.routes[", i, "]");
    const ReportError report = [&](const std::string& key, std::string_view what) {
      errors.AddLine(absl::StrCat(
          locations.Describe(key.empty() ? path : absl::StrCat(path, ".", key)), ": ", Abs(what)));
    };
    table->AddRoute(config.routes(i), config.history(), report, environment);
  }
  if (!errors.empty()) return errors.ToStatus();
  std::sort(table->named_topics_.begin(), table->named_topics_.end());
  table->hash_ = ChannelHash(DeterministicBytes(config));
  return std::shared_ptr<const RouteTable>(std::move(table));
}

void RouteTable::AddRoute(const v1::RouteConfig& config, const v1::HistoryConfig& history,
                          const ReportError& report, const config::Environment& environment) {
  Route route;
  route.name = config.name();
  Source::Limits limits;
  if (!config.topics_regex().empty()) {
    try {
      route.regex.emplace(config.topics_regex(), std::regex::ECMAScript | std::regex::optimize);
      limits.groups = route.regex->mark_count();
    } catch (const std::regex_error& error) {
      report("topics_regex", absl::StrCat("not a regular expression: ", error.what()));
      return;
    }
  }
  for (int i = 0; i < config.topics_size(); ++i) {
    const std::string& topic = config.topics(i);
    const std::string key = absl::StrCat("topics[", i, "]");
    if (topic.empty()) report(key, "must not be empty");
    const auto [it, added] = by_topic_.emplace(topic, routes_.size());
    if (!added && it->second == kReserved) {
      report(key, absl::StrCat("topic ", topic,
                               " is the control or the audit topic, whose records are not for "
                               "clients (ingest.control.topic, ingest.audit.topic)"));
    } else if (!added) {
      report(key, absl::StrCat("topic ", topic, " is named twice",
                               it->second < routes_.size()
                                   ? absl::StrCat(", first in route ", routes_[it->second].name)
                                   : ""));
    }
    named_topics_.push_back(topic);
  }

  CompiledRoute& unbound = route.unbound;
  unbound.name = config.name();
  unbound.max_event_bytes = max_event_bytes_;
  unbound.idempotency_window = config.idempotency_window();
  if (config.has_compacted()) unbound.compacted = config.compacted();
  unbound.history = Override(history, config.history());
  unbound.confluent = config.decode().framing() == v1::VALUE_FRAMING_CONFLUENT;
  if (config.decode().format() == v1::VALUE_FORMAT_RAW) {
    unbound.format = CompiledRoute::Format::kRaw;
    limits.pointers = false;
  } else if (config.decode().format() == v1::VALUE_FORMAT_PROTOBUF) {
    unbound.format = CompiledRoute::Format::kProtobuf;
    unbound.protobuf = CompileProtobuf(config.decode(), environment, report);
  }
  for (int i = 0; i < config.emit_size(); ++i) {
    unbound.emits.push_back(EmitPlan::Compile(config.emit(i), limits, limits.pointers,
                                              [&](const std::string& key, std::string_view what) {
                                                report(absl::StrCat("emit[", i, "].", key), what);
                                              }));
  }
  routes_.push_back(std::move(route));
}

std::shared_ptr<const CompiledRoute> RouteTable::Resolve(const std::string& topic) const {
  TopicParts parts;
  parts.name = topic;
  parts.parts = absl::StrSplit(topic, '.');
  if (const auto it = by_topic_.find(topic); it != by_topic_.end()) {
    if (it->second == kReserved) return nullptr;
    return std::make_shared<CompiledRoute>(Bind(routes_[it->second], parts));
  }
  if (topic.starts_with("__")) return nullptr;
  for (const Route& route : routes_) {
    if (!route.regex) continue;
    std::smatch match;
    try {
      if (!std::regex_match(topic, match, *route.regex)) continue;
    } catch (const std::regex_error&) {
      continue;  // too complex for this name: as good as no match
    }
    parts.groups.assign(match.begin(), match.end());
    return std::make_shared<CompiledRoute>(Bind(route, parts));
  }
  return nullptr;
}

CompiledRoute RouteTable::Bind(const Route& route, const TopicParts& topic) {
  CompiledRoute bound = route.unbound;
  bound.topic = topic.name;
  for (EmitPlan& emit : bound.emits) {
    emit = emit.ForTopic(topic);
    bound.needs_headers = bound.needs_headers || emit.uses_headers();
    for (const TextTemplate& channel : emit.channels) {
      Feed feed{channel.Pattern(), emit.snapshot, emit.horizon_ms};
      if (std::find(bound.feeds.begin(), bound.feeds.end(), feed) == bound.feeds.end()) {
        bound.feeds.push_back(std::move(feed));
      }
    }
  }
  return bound;
}

}  // namespace spillway::ingest
