#include "services/edge/session/endpoint.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/strings.h"

namespace spillway::edge {

absl::StatusOr<std::unique_ptr<Endpoint>> Endpoint::Create(EndpointOptions options,
                                                           const EndpointParts& parts) {
  const std::string path = options.path;
  const auto wrong = [&path](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("endpoint '", path, "': ", what));
  };
  auto parsed = http::PathTemplate::Parse(path);
  if (!parsed.ok()) return wrong(parsed.status().message());
  for (const std::string& name : parsed->names()) {
    const auto same = [&name](const ParamOptions& param) { return param.name == name; };
    auto param = std::find_if(options.params.begin(), options.params.end(), same);
    if (param == options.params.end()) {
      param = options.params.insert(param, {.name = name});
    }
    param->in_path = true;
  }
  if (options.auth.service == AuthServiceUse::kInstead) {
    if (parts.verifier != nullptr) {
      return wrong("auth.service is instead: there may be no keys beside it");
    }
    if (options.auth.accept_unchecked) {
      return wrong("auth.service is instead: clients that it was not asked about are nobody's");
    }
  }
  if (options.auth.required) {
    if (parts.verifier == nullptr && options.auth.service != AuthServiceUse::kInstead) {
      return wrong("tokens are required, but there is no secret to verify them with");
    }
    if (options.auth.query_param.empty() && options.auth.header.empty() &&
        options.auth.subprotocol_prefix.empty() && options.auth.cookie.empty() &&
        !options.auth.message) {
      return wrong("tokens are required, but auth names no place that they come from");
    }
  }
  // Browsers send cookies with whatever page asks them to connect.
  if (!options.auth.cookie.empty() && options.origins.empty()) {
    return wrong("auth.cookie needs origins: else any web page could connect as its visitor");
  }
  const HeartbeatOptions& heartbeat = options.heartbeat;
  if (heartbeat.interval.count() > 0 && !heartbeat.message && !heartbeat.protocol) {
    return wrong("heartbeat: pings need a form, message or protocol");
  }
  if (heartbeat.interval.count() > 0 && heartbeat.timeout.count() > 0 &&
      heartbeat.timeout <= heartbeat.interval) {
    return wrong("heartbeat: the timeout must be longer than the interval between pings");
  }
  for (const ParamOptions& param : options.params) {
    if (param.name == options.auth.query_param) {
      return wrong(absl::StrCat("parameter '", param.name, "' is the one with the token"));
    }
    size_t times = 0;
    for (const ParamOptions& other : options.params) times += other.name == param.name ? 1 : 0;
    if (times > 1) return wrong(absl::StrCat("parameter '", param.name, "' is given twice"));
  }
  const CompressionRule& compression = options.compression;
  if (!compression.query_param.empty() && compression.query_param == options.auth.query_param) {
    return wrong(absl::StrCat("compression: parameter '", compression.query_param,
                              "' is the one with the token"));
  }
  for (const ParamOptions& param : options.params) {
    if (compression.mode != CompressionMode::kOff && param.name == compression.query_param) {
      return wrong(absl::StrCat("compression: parameter '", param.name,
                                "' is one of the endpoint's own; choose another query_param"));
    }
  }
  for (const std::string& agent : compression.user_agents) {
    if (agent.empty()) {
      return wrong("compression: an empty user agent matches all; set the mode to always instead");
    }
  }
  std::vector<std::string_view> params;
  for (const ParamOptions& param : options.params) params.push_back(param.name);
  const auto no_param = [](std::string_view name) {
    return absl::StrCat("{param.", Abs(name), "} is neither in the path nor in params");
  };
  std::vector<ChannelTemplate> subscribe;
  for (const std::string& text : options.subscribe) {
    auto compiled = ChannelTemplate::Compile(text);
    if (!compiled.ok()) return wrong(compiled.status().message());
    if (const std::string name = compiled->ParamBut(params); !name.empty()) {
      return wrong(absl::StrCat("subscribe: '", text, "': ", no_param(name)));
    }
    subscribe.push_back(*std::move(compiled));
  }
  auto origins = OriginList::Compile(options.origins);
  if (!origins.ok()) return wrong(absl::StrCat("origins: ", origins.status().message()));
  auto labels = LabelRules::Compile(options.labels);
  if (!labels.ok()) return wrong(labels.status().message());
  if (labels->ShowsHeader("cookie") || labels->ShowsHeader("sec-websocket-protocol") ||
      labels->ShowsHeader("authorization") || labels->ShowsHeader(options.auth.header) ||
      labels->ShowsQuery(options.auth.query_param)) {
    return wrong("labels: what a token may be in is not shown to operators");
  }
  std::optional<ChannelTemplate> affinity;
  if (!options.affinity_key.empty()) {
    auto compiled = ChannelTemplate::Compile(options.affinity_key, ChannelTemplate::Kind::kKey);
    if (!compiled.ok()) return wrong(absl::StrCat("affinity.key: ", compiled.status().message()));
    if (const std::string name = compiled->ParamBut(params); !name.empty()) {
      return wrong(absl::StrCat("affinity.key: ", no_param(name)));
    }
    if (!compiled->has_placeholders()) {
      return wrong("affinity.key: without a placeholder all clients would belong on one node");
    }
    affinity = *std::move(compiled);
    const std::string& mark = options.affinity_param;
    if (mark == options.auth.query_param || mark == compression.query_param ||
        std::any_of(options.params.begin(), options.params.end(),
                    [&](const ParamOptions& param) { return param.name == mark; })) {
      return wrong(absl::StrCat("affinity.param: '", mark, "' means something else here"));
    }
  }
  auto endpoint = std::unique_ptr<Endpoint>(new Endpoint(std::move(options), parts));
  endpoint->subscribe_ = std::move(subscribe);
  endpoint->path_ = *std::move(parsed);
  endpoint->origins_ = *std::move(origins);
  endpoint->labels_ = *std::move(labels);
  endpoint->affinity_ = std::move(affinity);
  return endpoint;
}

}  // namespace spillway::edge
