#include "services/edge/app/app_endpoints.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

namespace spillway::edge {
namespace {

using std::chrono::milliseconds;

ChannelAccess AccessOf(v1::ChannelAccess access) {
  switch (access) {
    case v1::CHANNEL_ACCESS_ANYONE:
      return ChannelAccess::kAnyone;
    case v1::CHANNEL_ACCESS_SERVER:
      return ChannelAccess::kServer;
    case v1::CHANNEL_ACCESS_GRANTED:
      return ChannelAccess::kGranted;
    default:
      return ChannelAccess::kAuthenticated;
  }
}

CompressionRule RuleOf(const v1::EndpointCompressionConfig& config) {
  CompressionRule rule;
  rule.query_param = config.query_param();
  rule.user_agents.assign(config.user_agents().begin(), config.user_agents().end());
  switch (config.mode()) {
    case v1::COMPRESSION_MODE_AUTO:
      rule.mode = CompressionMode::kAuto;
      break;
    case v1::COMPRESSION_MODE_ALWAYS:
      rule.mode = CompressionMode::kAlways;
      break;
    default:
      rule.mode = CompressionMode::kOff;
  }
  return rule;
}

Frequency FrequencyOf(v1::UpdateFrequency frequency) {
  switch (frequency) {
    case v1::UPDATE_FREQUENCY_NORMAL:
      return Frequency::kNormal;
    case v1::UPDATE_FREQUENCY_LOW:
      return Frequency::kLow;
    case v1::UPDATE_FREQUENCY_BACKGROUND:
      return Frequency::kBackground;
    default:
      return Frequency::kHigh;
  }
}

ChannelSettings SettingsOf(const v1::ChannelConfig& channel) {
  ChannelSettings settings;
  switch (channel.slow()) {
    case v1::SLOW_POLICY_CONFLATE:
      settings.slow = SlowPolicy::kConflate;
      break;
    case v1::SLOW_POLICY_DROP_OLDEST:
      settings.slow = SlowPolicy::kDropOldest;
      break;
    case v1::SLOW_POLICY_DROP_NEWEST:
      settings.slow = SlowPolicy::kDropNewest;
      break;
    default:
      break;
  }
  if (channel.priority() == v1::CHANNEL_PRIORITY_LOW) settings.priority = Priority::kLow;
  if (channel.priority() == v1::CHANNEL_PRIORITY_HIGH) settings.priority = Priority::kHigh;
  settings.ephemeral = channel.ephemeral();
  return settings;
}

std::optional<PublishRule> PublishRuleOf(const v1::ChannelConfig& channel) {
  if (!channel.has_publish()) return std::nullopt;
  const v1::ChannelPublishConfig& publish = channel.publish();
  return PublishRule{.access = AccessOf(publish.access()),
                     .allow = publish.allow(),
                     .roles = {publish.roles().begin(), publish.roles().end()},
                     .target = {.topic = publish.topic(),
                                .event = publish.event(),
                                .user_member = publish.user_member()},
                     .rate = RateOf(publish.rate())};
}

ChannelRule RuleOf(const v1::ChannelConfig& channel) {
  return {.pattern = channel.pattern(),
          .access = AccessOf(channel.access()),
          .allow = channel.allow(),
          .roles = {channel.roles().begin(), channel.roles().end()},
          .patterns = channel.patterns(),
          .snapshot = channel.snapshot(),
          .compress = channel.compress(),
          .frequency = FrequencyOf(channel.frequency()),
          .fixed_frequency = channel.fixed_frequency(),
          .settings = SettingsOf(channel),
          .subscribes = RateOf(channel.subscribes()),
          .publish = PublishRuleOf(channel)};
}

AuthServiceUse UseOf(v1::AuthServiceUse use) {
  switch (use) {
    case v1::AUTH_SERVICE_USE_OFF:
      return AuthServiceUse::kOff;
    case v1::AUTH_SERVICE_USE_INSTEAD:
      return AuthServiceUse::kInstead;
    default:
      return AuthServiceUse::kAlso;
  }
}

void SetService(const v1::EdgeConfig& edge, const v1::AuthConfig& config, AuthOptions* auth) {
  const v1::AuthServiceConfig& service = edge.auth_service();
  if (service.url().empty()) return;
  auth->service = UseOf(config.service());
  auth->service_anonymous = service.anonymous();
  auth->accept_unchecked = service.on_failure() == v1::AUTH_SERVICE_FAILURE_ACCEPT &&
                           auth->service == AuthServiceUse::kAlso;
}

EndpointOptions OptionsOf(const v1::EdgeConfig& edge, const v1::EndpointConfig& config) {
  EndpointOptions options;
  SetService(edge, config.auth(), &options.auth);
  options.auth.leeway =
      std::chrono::ceil<std::chrono::seconds>(milliseconds(config.auth().leeway()));
  options.path = config.path();
  options.auth.required = config.auth().required();
  options.auth.query_param = config.auth().query_param();
  options.auth.header = config.auth().header();
  options.auth.roles_claim = config.auth().roles_claim();
  options.auth.channels_claim = config.auth().channels_claim();
  options.auth.subprotocol_prefix = config.auth().subprotocol_prefix();
  options.auth.cookie = config.auth().cookie();
  options.auth.message = config.auth().message();
  options.auth.message_timeout = milliseconds(config.auth().message_timeout());
  options.auth.end_at_expiry = config.auth().end_at_expiry();
  options.auth.expiry_warning = milliseconds(config.auth().expiry_warning());
  std::transform(
      options.auth.header.begin(), options.auth.header.end(), options.auth.header.begin(),
      [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  for (const v1::ParamConfig& param : config.params()) {
    options.params.push_back({.name = param.name(),
                              .required = param.required(),
                              .claim = param.claim(),
                              .allow_ungranted = param.allow_ungranted()});
  }
  options.subscribe.assign(config.subscribe().begin(), config.subscribe().end());
  options.commands = config.commands();
  options.heartbeat.interval = milliseconds(config.heartbeat().interval());
  options.heartbeat.timeout = milliseconds(config.heartbeat().timeout());
  // An envelope without a ping of its own leaves that to the protocol's.
  const auto ping = config.envelope().find("ping");
  options.heartbeat.protocol = ping != config.envelope().end() && ping->second.empty();
  options.heartbeat.message = !options.heartbeat.protocol;
  options.compression = RuleOf(config.compression());
  for (const auto& [name, text] : config.labels()) options.labels[name] = text;
  options.affinity_key = config.affinity().key();
  options.affinity_param = config.affinity().param();
  options.origins.assign(config.origins().begin(), config.origins().end());
  return options;
}

absl::Status In(const std::string& path, const absl::Status& status) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", status.message()));
}

constexpr size_t kMaxEncoders = kMaxVariants / 3;  // plain, and compressed for two windows

}  // namespace

Rate RateOf(const v1::RateConfig& config) {
  return Rate::Of(static_cast<uint32_t>(config.count()), milliseconds(config.per()),
                  static_cast<uint32_t>(config.burst()));
}

bool CompressesForSome(const v1::EdgeConfig& config) {
  return std::any_of(config.endpoints().begin(), config.endpoints().end(),
                     [](const v1::EndpointConfig& endpoint) {
                       return endpoint.compression().mode() != v1::COMPRESSION_MODE_OFF;
                     });
}

absl::StatusOr<std::unique_ptr<EndpointSet>> EndpointSet::Create(const v1::EdgeConfig& config,
                                                                 const Clock& clock) {
  const CompressionOptions compression{
      .threshold = static_cast<size_t>(config.compression().threshold()),
      .level = config.compression().level()};
  auto set =
      std::unique_ptr<EndpointSet>(new EndpointSet(compression, CompressesForSome(config), clock));
  std::vector<ChannelRule> rules;
  for (const v1::ChannelConfig& channel : config.channels()) {
    rules.push_back(RuleOf(channel));
  }
  auto policy =
      ChannelPolicy::Compile(rules, config.default_access() == v1::DEFAULT_ACCESS_AUTHENTICATED
                                        ? ChannelAccess::kAuthenticated
                                        : ChannelAccess::kServer);
  if (!policy.ok()) return In("edge.channels", policy.status());
  set->policy_ = *std::move(policy);
  if (rules.empty() && config.default_access() == v1::DEFAULT_ACCESS_DENY &&
      std::any_of(config.endpoints().begin(), config.endpoints().end(),
                  [](const v1::EndpointConfig& endpoint) { return endpoint.commands(); })) {
    set->warnings_.push_back(
        "edge.channels is empty and edge.default_access is deny: no client can subscribe to "
        "anything");
  }
  for (int i = 0; i < config.endpoints_size(); ++i) {
    const std::string path = absl::StrCat("edge.endpoints[", i, "]");
    const auto verifier =
        set->AddVerifier(config.endpoints(i).auth(), absl::StrCat(path, ".auth"), clock);
    if (!verifier.ok()) return verifier.status();
    if (absl::Status status = set->Add(config, i, *verifier); !status.ok()) {
      return In(path, status);
    }
    for (int other = 0; other < i; ++other) {
      if (config.endpoints(other).path() == config.endpoints(i).path()) {
        return absl::InvalidArgumentError(
            absl::StrCat("edge.endpoints[", i, "].path: endpoint ", other, " has it already"));
      }
    }
  }
  return set;
}

absl::StatusOr<VariantId> EndpointSet::VariantOf(const v1::EndpointConfig& endpoint,
                                                 const JsonCommandLimits& limits) {
  const std::map<std::string, std::string, std::less<>> templates(endpoint.envelope().begin(),
                                                                  endpoint.envelope().end());
  std::vector<std::pair<std::string, std::string>> key(templates.begin(), templates.end());
  for (const Encoder& encoder : encoders_) {
    if (encoder.envelope == key) return encoder.variant;
  }
  if (encoders_.size() == kMaxEncoders) {
    return absl::InvalidArgumentError(
        absl::StrCat("envelope: more than ", kMaxEncoders, " different ones in one edge"));
  }
  auto envelope = JsonEnvelope::Compile(templates);
  if (!envelope.ok()) return In("envelope", envelope.status());
  Encoder& encoder = encoders_.emplace_back();
  encoder.envelope = std::move(key);
  encoder.encoder = std::make_unique<JsonEncoder>(*std::move(envelope), limits);
  encoder.variant = variants_.Add(encoder.encoder.get(), compressed_);
  return encoder.variant;
}

absl::Status EndpointSet::Add(const v1::EdgeConfig& config, int index,
                              const auth::JwtVerifier* verifier) {
  const v1::EndpointConfig& endpoint = config.endpoints(index);
  JsonCommandLimits limits;
  limits.max_bytes = static_cast<size_t>(config.limits().max_message_bytes());
  limits.max_channels = config.limits().command_channels() == 0
                            ? std::numeric_limits<size_t>::max()
                            : static_cast<size_t>(config.limits().command_channels());
  const auto variant = VariantOf(endpoint, limits);
  if (!variant.ok()) return variant.status();
  EndpointParts parts{.variant = *variant, .policy = &policy_, .verifier = verifier};
  for (const Encoder& encoder : encoders_) {
    if (encoder.variant == *variant) parts.dialect = encoder.encoder.get();
  }
  auto created = Endpoint::Create(OptionsOf(config, endpoint), parts);
  if (!created.ok()) return created.status();
  endpoints_.push_back(*std::move(created));
  return absl::OkStatus();
}

absl::StatusOr<const auth::JwtVerifier*> EndpointSet::AddVerifier(const v1::AuthConfig& config,
                                                                  const std::string& path,
                                                                  const Clock& clock) {
  auth::JwtOptions options;
  if (!config.secret().empty()) options.secrets = {config.secret()};
  options.issuer = config.issuer();
  options.audience = config.audience();
  options.require_exp = config.require_exp();
  options.leeway = std::chrono::ceil<std::chrono::seconds>(milliseconds(config.leeway()));
  for (int i = 0; i < config.issuers_size(); ++i) {
    auto issuer = keys_.IssuerOf(config.issuers(i), absl::StrCat(path, ".issuers[", i, "]"));
    if (!issuer.ok()) return issuer.status();
    options.issuers.push_back(*std::move(issuer));
  }
  if (options.secrets.empty() && options.issuers.empty()) return nullptr;
  auto verifier = auth::JwtVerifier::Create(options, clock);
  if (!verifier.ok()) return In(path, verifier.status());
  if ((*verifier)->has_short_secret()) {
    warnings_.push_back(absl::StrCat(path, ": a secret is shorter than ",
                                     auth::JwtVerifier::kLeastSecretBytes,
                                     " bytes, the least for HS256"));
  }
  verifiers_.push_back(*std::move(verifier));
  return verifiers_.back().get();
}

std::vector<const Endpoint*> EndpointSet::endpoints() const {
  std::vector<const Endpoint*> all;
  for (const auto& endpoint : endpoints_) all.push_back(endpoint.get());
  return all;
}

}  // namespace spillway::edge
