#include "services/edge/app/app_options.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "services/edge/app/keyless_warning.h"
#include "tests/support/certificates.h"
#include "tests/unit/services/edge/app/app_options_fixture.h"

namespace spillway::edge {
namespace {

TEST_F(AppOptionsTest, TakesTheConfigurationOver) {
  const auto options = MakeEdgeOptions(Config(absl::StrCat(kEndpoint, kIngests, R"(
  threads: 3
  limits: {outbox_bytes: 64KiB, outbox_messages: 100, max_message_bytes: 1KiB, max_connections: 7,
           write_timeout: 3s, tcp_notsent_lowat: 32KiB, messages_per_second: 5, message_burst: 9}
  checkpoint_interval: 2s
  ready_grace: 3s
)")));
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->node_id, "e1");
  EXPECT_EQ(options->threads, 3u);
  EXPECT_EQ(options->listen.ip, "127.0.0.1");
  EXPECT_FALSE(options->has_ops);
  EXPECT_EQ(options->worker.connection.backlog.bytes, 65536u);
  EXPECT_EQ(options->worker.connection.max_message_bytes, 1024u);
  EXPECT_EQ(options->worker.connection.write_timeout, std::chrono::seconds(3));
  EXPECT_EQ(options->worker.notsent_lowat_bytes, 32768);
  EXPECT_EQ(options->worker.max_handshakes, 3334u);
  EXPECT_EQ(options->limits.low_backlog_messages, 50u);
  EXPECT_EQ(options->max_connections, 7);
  EXPECT_EQ(options->limits.messages.step, std::chrono::milliseconds(200));
  EXPECT_EQ(options->limits.messages.burst, 9u);
  EXPECT_EQ(options->hub.checkpoint_interval, std::chrono::milliseconds(2000));
  EXPECT_EQ(options->ready_grace, std::chrono::milliseconds(3000));
  EXPECT_EQ(options->link.addresses, std::vector<std::string>{"i:1"});
  EXPECT_EQ(options->link.core.node_id, "e1");
}

TEST_F(AppOptionsTest, NoLimitsIsASetting) {
  const auto options = MakeEdgeOptions(Config(absl::StrCat(kEndpoint, kIngests, R"(
  limits: {max_connections: 0, max_unauthenticated: 0, max_subscriptions: 0, max_handshakes: 0,
           messages_per_second: 0, connections_per_user: 0, connections_per_ip: 0}
)")));
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_GT(options->max_connections, int64_t{1} << 60);
  EXPECT_GT(options->connection_limits.unauthenticated, int64_t{1} << 60);
  EXPECT_GT(options->limits.max_subscriptions, size_t{1} << 60);
  EXPECT_GT(options->worker.max_handshakes, size_t{100'000'000});
  EXPECT_FALSE(options->limits.messages.limits());
}

TEST_F(AppOptionsTest, BoundsWhatOneClientSendsByDefault) {
  const auto options = MakeEdgeOptions(Config(absl::StrCat(kEndpoint, kIngests)));
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->limits.messages.step, std::chrono::milliseconds(1));
  EXPECT_EQ(options->limits.messages.burst, 2000u);
  const auto slow = MakeEdgeOptions(
      Config(absl::StrCat(kEndpoint, kIngests, "  limits: {messages: {count: 100, per: 1m}}\n")));
  ASSERT_TRUE(slow.ok()) << slow.status();
  EXPECT_EQ(slow->limits.messages.step, std::chrono::milliseconds(600));
  EXPECT_EQ(slow->limits.messages.burst, 100u);
  const auto any = MakeEdgeOptions(
      Config(absl::StrCat(kEndpoint, kIngests, "  limits: {messages: {count: 0}}\n")));
  EXPECT_FALSE(any->limits.messages.limits());
}

TEST_F(AppOptionsTest, BoundsByUserAndAddressAreOffUnlessSet) {
  const auto options_of = [&](const std::string& limits) {
    const auto options = MakeEdgeOptions(Config(absl::StrCat(kEndpoint, kIngests, limits)));
    EXPECT_TRUE(options.ok()) << options.status();
    return options.ok() ? options->connection_limits : ConnectionLimits::Options();
  };
  const auto off = options_of("");
  EXPECT_FALSE(off.handshakes.limits());
  EXPECT_FALSE(off.users.messages.limits());
  EXPECT_FALSE(off.users.subscribes.limits());
  EXPECT_EQ(off.users.connections, 0);
  EXPECT_EQ(off.ips.connections, 0);
  EXPECT_EQ(off.ips.failures, 0u);
  const auto on = options_of(R"(
  limits:
    connections_per_user: 10
    connections_per_ip: 20
    handshakes: {count: 100, burst: 300}
    user_messages: {count: 100, per: 1m}
    user_subscribes: {count: 2}
    ip_failures: 5
    ip_failure_window: 30s
    ip_block_time: 5m
)");
  EXPECT_EQ(on.handshakes.step, std::chrono::milliseconds(10));
  EXPECT_EQ(on.handshakes.burst, 300u);
  EXPECT_EQ(on.users.messages.step, std::chrono::milliseconds(600));
  EXPECT_EQ(on.users.messages.burst, 100u);
  EXPECT_EQ(on.users.subscribes.step, std::chrono::milliseconds(500));
  EXPECT_EQ(on.users.connections, 10);
  EXPECT_EQ(on.ips.connections, 20);
  EXPECT_EQ(on.ips.failures, 5u);
  EXPECT_EQ(on.ips.window, std::chrono::seconds(30));
  EXPECT_EQ(on.ips.block, std::chrono::minutes(5));
}

TEST_F(AppOptionsTest, BoundsTheChannelsOfACommand) {
  const auto answer = [&](const std::string& limits, size_t channels) {
    const auto set = EndpointSet::Create(Config(absl::StrCat(kEndpoint, kIngests, limits)), clock_);
    EXPECT_TRUE(set.ok()) << set.status();
    std::string message = R"({"type":"subscribe","channels":[)";
    for (size_t n = 0; n < channels; ++n)
      absl::StrAppend(&message, n == 0 ? "" : ",", "\"c", n, "\"");
    message += "]}";
    Command command;
    ParseFailure failure;
    const Dialect& dialect = (*set)->endpoints()[0]->dialect();
    return dialect.Parse(message, true, &command, &failure) ? "ok" : std::string(failure.code);
  };
  EXPECT_EQ(answer("", 100), "ok");
  EXPECT_EQ(answer("", 101), "too_many_channels");
  const std::string two = "  limits: {command_channels: 2, max_subscriptions: 1000}\n";
  EXPECT_EQ(answer(two, 2), "ok");
  EXPECT_EQ(answer(two, 3), "too_many_channels");
  EXPECT_EQ(answer("  limits: {command_channels: 0}\n", 5000), "ok");
}

TEST_F(AppOptionsTest, ChannelsSayWhatSlowClientsMiss) {
  const auto set = EndpointSet::Create(Config(absl::StrCat(kEndpoint, kIngests, R"(
  channels:
    - {pattern: "quote:*", slow: conflate, priority: low}
    - {pattern: "oldest:*", slow: drop_oldest}
    - {pattern: "newest:*", slow: drop_newest}
    - {pattern: "fill:*", priority: high}
)")),
                                       clock_);
  ASSERT_TRUE(set.ok()) << set.status();
  const ChannelPolicy& policy = (*set)->policy();
  EXPECT_EQ(policy.SettingsOf("quote:BTC").slow, SlowPolicy::kConflate);
  EXPECT_EQ(policy.SettingsOf("quote:BTC").priority, Priority::kLow);
  EXPECT_EQ(policy.SettingsOf("oldest:1").slow, SlowPolicy::kDropOldest);
  EXPECT_EQ(policy.SettingsOf("oldest:1").priority, Priority::kNormal);
  EXPECT_EQ(policy.SettingsOf("newest:1").slow, SlowPolicy::kDropNewest);
  EXPECT_EQ(policy.SettingsOf("fill:1").slow, SlowPolicy::kDisconnect);
  EXPECT_EQ(policy.SettingsOf("fill:1").priority, Priority::kHigh);
  EXPECT_EQ(policy.SettingsOf("other").slow, SlowPolicy::kDisconnect);
  EXPECT_EQ(policy.PatternOf("fill:1"), "fill:*");
  EXPECT_EQ(policy.PatternOf("other"), "");
  KeylessWarning warning(policy);
  EXPECT_TRUE(warning.Tell("quote:BTC"));
  EXPECT_FALSE(warning.Tell("quote:ETH"));
}

TEST_F(AppOptionsTest, TrustedProxies) {
  const auto options_of = [&](const std::string& more) {
    return MakeEdgeOptions(Config(absl::StrCat(kEndpoint, kIngests, more)));
  };
  EXPECT_FALSE(options_of("")->worker.trusted_proxies.Trust("127.0.0.1"));
  const auto some = options_of("  trusted_proxies: [10.0.0.0/8, '::1']\n  proxy_protocol: true\n");
  ASSERT_TRUE(some.ok()) << some.status();
  EXPECT_TRUE(some->worker.trusted_proxies.Trust("10.1.2.3"));
  EXPECT_FALSE(some->worker.trusted_proxies.Trust("11.1.2.3"));
  EXPECT_TRUE(some->worker.proxy_protocol);
  EXPECT_EQ(options_of("  trusted_proxies: [proxy]\n").status().message(),
            "edge.trusted_proxies: 'proxy': not an IP address or network such as 10.0.0.0/8");
  EXPECT_EQ(options_of("  proxy_protocol: true\n").status().message(),
            "edge.proxy_protocol: name the proxies that send it in edge.trusted_proxies");
}

TEST_F(AppOptionsTest, RulesOfChannels) {
  const auto set_of = [&](const std::string& more) {
    auto set = EndpointSet::Create(Config(absl::StrCat(kEndpoint, kIngests, more)), clock_);
    EXPECT_TRUE(set.ok()) << set.status();
    return *std::move(set);
  };
  const auto may = [](const EndpointSet& set, std::string_view channel,
                      std::vector<std::string> roles, std::vector<ChannelPattern> granted = {}) {
    const auth::Claims claims = *auth::Claims::Parse(R"({"sub":"u1"})");
    const auto grants = set.policy().GrantsOf(
        {.claims = &claims, .roles = std::move(roles), .granted = std::move(granted)});
    return set.policy().Check(channel, grants).allowed;
  };
  const auto none = set_of("");
  EXPECT_FALSE(may(*none, "a", {}));  // deny by default
  ASSERT_EQ(none->warnings().size(), 1u);
  EXPECT_NE(none->warnings()[0].find("no client can subscribe"), std::string::npos);
  const auto open = set_of("  default_access: authenticated\n");
  EXPECT_TRUE(may(*open, "a", {}));
  EXPECT_TRUE(open->warnings().empty());
  const auto set = set_of(R"(
  channels:
    - {pattern: "ops:*", roles: [admin, super_admin]}
    - {pattern: "room:*", access: granted}
    - {pattern: "user:**", allow: "user:{sub}:*", subscribes: {count: 1, per: 10s}}
)");
  EXPECT_TRUE(set->warnings().empty());
  EXPECT_TRUE(may(*set, "ops:a", {"super_admin"}));
  EXPECT_FALSE(may(*set, "ops:a", {"user"}));
  EXPECT_TRUE(may(*set, "room:a", {}, {*ChannelPattern::Parse("room:a")}));
  EXPECT_FALSE(may(*set, "room:a", {}));
  EXPECT_TRUE(may(*set, "user:u1:orders", {}));
  EXPECT_FALSE(may(*set, "user:u2:orders", {}));
  EXPECT_FALSE(may(*set, "other", {}));
  EXPECT_EQ(set->policy().rates(), 1u);
  EXPECT_EQ(set->policy().RateOf("user:u1:a").rate.step, std::chrono::seconds(10));
  EXPECT_FALSE(set->policy().RateOf("ops:a").rate.limits());
}

TEST_F(AppOptionsTest, TheListenerMayHaveTls) {
  EXPECT_FALSE(MakeEdgeOptions(Config(absl::StrCat(kEndpoint, kIngests)))->public_tls.enabled());
  const auto options = MakeEdgeOptions(Config(absl::StrCat(
      kEndpoint, kIngests, "  tls: {cert_file: c, key_file: k, ca_file: a, kernel: true}\n")));
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->public_tls.cert, "c");
  EXPECT_EQ(options->public_tls.key, "k");
  EXPECT_EQ(options->public_tls.ca, "a");
  EXPECT_TRUE(options->public_tls_options.kernel);
}

TEST_F(AppOptionsTest, Frequencies) {
  const auto standard = MakeEdgeOptions(Config(absl::StrCat(kIngests, kEndpoint)));
  ASSERT_TRUE(standard.ok());
  using std::chrono::milliseconds;
  EXPECT_EQ(standard->hub.lane_intervals, HubShard::Options().lane_intervals);
  EXPECT_EQ(standard->hub.lane_events, HubShard::Options().lane_events);
  EXPECT_EQ(standard->hub.lane_bytes, HubShard::Options().lane_bytes);
  const auto options = MakeEdgeOptions(Config(absl::StrCat(kIngests, kEndpoint, R"(
  frequencies: {normal: 100ms, low: 2s, background: 1m}
  limits: {lane_events: 7, lane_bytes: 2KiB}
)")));
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->hub.lane_intervals[1], milliseconds(100));
  EXPECT_EQ(options->hub.lane_intervals[2], milliseconds(2'000));
  EXPECT_EQ(options->hub.lane_intervals[3], milliseconds(60'000));
  EXPECT_EQ(options->hub.lane_events, 7u);
  EXPECT_EQ(options->hub.lane_bytes, 2048u);
}

TEST_F(AppOptionsTest, ChannelsHaveAFrequency) {
  const auto set = EndpointSet::Create(Config(absl::StrCat(kIngests, kEndpoint, R"(
  channels:
    - {pattern: "price:*", frequency: low}
    - {pattern: "fill:*", fixed_frequency: true}
)")),
                                       clock_);
  ASSERT_TRUE(set.ok()) << set.status();
  const ChannelPolicy& policy = (*set)->endpoints()[0]->policy();
  EXPECT_EQ(policy.FrequencyOf("price:a"), Frequency::kLow);
  EXPECT_TRUE(policy.MayHave("price:a", Frequency::kBackground));
  EXPECT_EQ(policy.FrequencyOf("fill:a"), Frequency::kHigh);
  EXPECT_TRUE(policy.MayHave("fill:a", Frequency::kHigh));
  EXPECT_FALSE(policy.MayHave("fill:a", Frequency::kNormal));
  EXPECT_TRUE(policy.MayHave("other", Frequency::kNormal));
}

TEST_F(AppOptionsTest, TlsFilesAreLookedAt) {
  const test::Certificates certs(dir_.path());
  const auto error = [&](const std::string& more) {
    return std::string(MakeEdgeOptions(Config(absl::StrCat(kEndpoint, more))).status().message());
  };
  EXPECT_EQ(error("  ingests: {dns_name: 'i:1', tls: {ca_file: /none}}\n"),
            "edge.ingests.tls: cannot read the TLS CA file '/none': No such file or directory");
  EXPECT_EQ(error(absl::StrCat(kIngests, "  admin: {tls: {cert_file: ", certs.server_cert(),
                               ", key_file: ", certs.client_key(), "}}\n")),
            absl::StrCat("edge.admin.tls: the TLS key file '", certs.client_key(),
                         "' does not belong to the certificate '", certs.server_cert(), "'"));
  EXPECT_EQ(error(absl::StrCat("  ingests: {dns_name: 'i:1', tls: {ca_file: ", certs.ca(), "}}\n")),
            "");
}

TEST_F(AppOptionsTest, EndpointsThatShareAnEnvelopeShareAVariant) {
  const auto set = EndpointSet::Create(Config(absl::StrCat(kIngests, R"(
  endpoints:
    - {path: /a, auth: {required: false}}
    - {path: /b, auth: {required: false}}
    - {path: /c, auth: {required: false}, envelope: {ping: ""}}
)")),
                                       clock_);
  ASSERT_TRUE(set.ok()) << set.status();
  const auto endpoints = (*set)->endpoints();
  ASSERT_EQ(endpoints.size(), 3u);
  EXPECT_EQ((*set)->variants().size(), 6u);
  EXPECT_EQ(endpoints[0]->variant(), endpoints[1]->variant());
  EXPECT_NE(endpoints[0]->variant(), endpoints[2]->variant());
  EXPECT_TRUE(endpoints[0]->options().heartbeat.message);
  EXPECT_FALSE(endpoints[2]->options().heartbeat.message);
  EXPECT_TRUE(endpoints[2]->options().heartbeat.protocol);
}

TEST_F(AppOptionsTest, CompressionIsForWhomTheEndpointSays) {
  const v1::EdgeConfig config = Config(absl::StrCat(kIngests, R"(
  compression: {level: 6, threshold: 1KiB}
  channels: [{pattern: "raw.*", compress: false}]
  endpoints:
    - {path: /a, auth: {required: false}, compression: {mode: off}}
    - {path: /b, auth: {required: false}}
    - {path: /c, auth: {required: false}, compression: {user_agents: [Android, iPhone]}}
    - {path: /d, auth: {required: false}, compression: {mode: always, query_param: zip}}
)"));
  EXPECT_TRUE(MakeEdgeOptions(config)->worker.deflate);
  const auto set = EndpointSet::Create(config, clock_);
  ASSERT_TRUE(set.ok()) << set.status();
  VariantTable& variants = (*set)->variants();
  EXPECT_EQ(variants.size(), 3u);  // plain, and for two windows
  EXPECT_EQ(variants.compression().level, 6);
  EXPECT_EQ(variants.compression().threshold, 1024u);
  const auto endpoints = (*set)->endpoints();
  const auto rule = [&](size_t i) { return endpoints[i]->options().compression; };
  EXPECT_EQ(rule(0).mode, CompressionMode::kOff);
  EXPECT_EQ(rule(1).mode, CompressionMode::kAuto);
  EXPECT_EQ(rule(1).query_param, "compress");
  EXPECT_TRUE(rule(1).user_agents.empty());
  EXPECT_EQ(rule(2).user_agents, (std::vector<std::string>{"Android", "iPhone"}));
  EXPECT_EQ(rule(3).mode, CompressionMode::kAlways);
  EXPECT_EQ(rule(3).query_param, "zip");
  EXPECT_FALSE(endpoints[0]->policy().CompressOf("raw.a"));
  EXPECT_TRUE(endpoints[0]->policy().CompressOf("price.a"));
}

TEST_F(AppOptionsTest, WithoutCompressionAnEventHasRoomForNone) {
  const v1::EdgeConfig config = Config(absl::StrCat(
      kIngests, "  endpoints: [{auth: {required: false}, compression: {mode: off}}]\n"));
  EXPECT_FALSE(MakeEdgeOptions(config)->worker.deflate);
  const auto set = EndpointSet::Create(config, clock_);
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ((*set)->variants().size(), 1u);
}

TEST_F(AppOptionsTest, BadEndpointsAreNamed) {
  v1::EdgeConfig twice = Config(absl::StrCat(kIngests, kEndpoint));
  *twice.add_endpoints() = twice.endpoints(0);
  EXPECT_EQ(EndpointError(twice), "edge.endpoints[1].path: endpoint 0 has it already");
  EXPECT_NE(EndpointError(R"(
  endpoints: [{path: /a, auth: {required: false}, subscribe: ["user:{nonsense}"]}]
)")
                .find("edge.endpoints[0]: endpoint '/a': "),
            std::string::npos);
  EXPECT_NE(EndpointError(R"(
  endpoints: [{path: /a, auth: {required: false}, envelope: {event: "{{"}}]
)")
                .find("edge.endpoints[0]: envelope: "),
            std::string::npos);
}

TEST_F(AppOptionsTest, AShortSecretIsWarnedAbout) {
  const auto set =
      EndpointSet::Create(Config(absl::StrCat(kIngests, "  default_access: authenticated\n",
                                              "  endpoints: [{auth: {secret: short}}]\n")),
                          clock_);
  ASSERT_TRUE(set.ok()) << set.status();
  ASSERT_EQ((*set)->warnings().size(), 1u);
  EXPECT_EQ((*set)->warnings()[0].find("short "), std::string::npos);  // never the secret
}

}  // namespace
}  // namespace spillway::edge
