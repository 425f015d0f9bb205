// Every kind of wrong configuration, with the exact lines that the operator sees.
#include <gtest/gtest.h>

#include "common/config/loader.h"
#include "tests/unit/common/config/fake_environment.h"

namespace spillway::config {
namespace {

struct Case {
  const char* name;
  const char* text;
  const char* lines;
};

const Case kCases[] = {
    {"NotYaml", "edge: [\n", "f.yaml:2: not valid YAML: end of sequence flow not found"},
    {"NotAMapping", "- a\n", "f.yaml:1: expected a mapping at the top, found a list"},
    {"TwoDocuments", "ingest:\n---\nedge:\n",
     "f.yaml:3: expected one YAML document, found several"},
    {"DocumentsWithoutEnd", " ,", "f.yaml:1: expected one YAML document, found several"},
    {"UnknownSection", "ingst:\n", "f.yaml:1: ingst: unknown key; did you mean \"ingest\"?"},
    {"UnknownKey", "ingest:\n  lisen: a:1\n",
     "f.yaml:2: ingest.lisen: unknown key; did you mean \"listen\"?"},
    {"UnknownKeyFarFromAll", "ingest:\n  tls: {zzzzzz: 1, cert_file: a, key_file: b}\n",
     "f.yaml:2: ingest.tls.zzzzzz: unknown key; expected one of cert_file, key_file, ca_file"},
    {"DuplicateKey", "ingest:\n  shards: 1\n  shards: 2\n",
     "f.yaml:3: ingest.shards: duplicate key, first given in line 2"},
    {"NotANumber", "ingest: {shards: many}\n",
     "f.yaml:1: ingest.shards: expected a whole number from 0 to 256, found \"many\""},
    {"OutOfRange", "ingest:\n  shards: 257\n",
     "f.yaml:2: ingest.shards: expected a whole number from 0 to 256, found \"257\""},
    {"Duration", "ingest:\n  linger: 5 parsecs\n",
     "f.yaml:2: ingest.linger: expected a duration of at least 0, such as 30s or 250ms, found "
     "\"5 parsecs\""},
    {"DurationRange", "ingest:\n  beat_interval: 1m\n",
     "f.yaml:2: ingest.beat_interval: expected a duration from 10ms to 2s, such as 30s or 250ms, "
     "found \"1m\""},
    {"Size", "ingest:\n  limits:\n    batch_bytes: huge\n",
     "f.yaml:3: ingest.limits.batch_bytes: expected a size from 4KiB to 2MiB, such as 64KiB, found "
     "\"huge\""},
    {"Boolean", "ingest: {publish: {enabled: maybe}}\n",
     "f.yaml:1: ingest.publish.enabled: expected true or false, found \"maybe\""},
    {"Enumeration", "ingest: {log: {level: loud}}\n",
     "f.yaml:1: ingest.log.level: expected one of debug, info, warn, error, found \"loud\""},
    {"EmptyText", "ingest: {listen: \"\"}\n",
     "f.yaml:1: ingest.listen: expected a text that is not empty, found \"\""},
    {"ListForValue", "ingest: {listen: [a]}\n",
     "f.yaml:1: ingest.listen: expected a single value, found a list"},
    {"MappingForList", "ingest:\n  routes: {name: x}\n",
     "f.yaml:2: ingest.routes: expected a list, found a mapping"},
    {"ValueForMapping", "ingest:\n  kafka: {properties: x}\n",
     "f.yaml:2: ingest.kafka.properties: expected a mapping, found \"x\""},
    {"ValueForSection", "ingest:\n  tls: x\n",
     "f.yaml:2: ingest.tls: expected a mapping with the keys cert_file, key_file, ca_file, found "
     "\"x\""},
    {"RequiredKeys", "ingest:\n  routes:\n    - topics: [a]\n      emit:\n        - type: x\n",
     "f.yaml:3: ingest.routes[0].name: required, but missing\n"
     "f.yaml:5: ingest.routes[0].emit[0].channels: required, but missing"},
    {"EmptyRequiredList", "ingest:\n  routes:\n    - {name: a, topics: [a], emit: []}\n",
     "f.yaml:3: ingest.routes[0].emit: required, but empty"},
    {"MissingVariable",
     "edge:\n  endpoints:\n    - auth:\n        secret: ${JWT_SECRET:?set it}\n"
     "  ingests: {dns_name: a:1}\n",
     "f.yaml:4: edge.endpoints[0].auth.secret: environment variable JWT_SECRET is not set: set it"},
    {"MissingSecretFile",
     "edge:\n  endpoints: [{auth: {secret: \"${file:/none}\"}}]\n  ingests: {dns_name: a:1}\n",
     "f.yaml:2: edge.endpoints[0].auth.secret: cannot read file /none: No such file or directory"},
    {"SeveralAtOnce", "ingest:\n  shards: x\n  linger: y\n  bogus_key_here: 1\n",
     "f.yaml:4: ingest.bogus_key_here: unknown key; expected one of node_id, listen, ops_listen, "
     "advertised_address, shards, kafka, embedded_broker, routes, history, limits, "
     "catalogue_refresh, beat_interval, link_interval, linger, publish, dead_letter_topic, "
     "shutdown_grace, tls, log, metrics, environment, report_degraded, link, control, audit\n"
     "f.yaml:2: ingest.shards: expected a whole number from 0 to 256, found \"x\"\n"
     "f.yaml:3: ingest.linger: expected a duration of at least 0, such as 30s or 250ms, found "
     "\"y\""},
    {"NoSecret", "edge:\n  ingests: {dns_name: a:1}\n  endpoints:\n    - path: /ws\n",
     "f.yaml:4: edge.endpoints[0].auth.secret: tokens are required, but there is no secret to "
     "check "
     "them with; set it, or issuers, or set required: false"},
    {"AuthServiceKeys",
     "edge:\n  ingests: {dns_name: a:1}\n  endpoints: [{auth: {service: off, secret: s}}]\n"
     "  auth_service:\n    url: ftp://a\n    timeout: 6s\n    header: \"a:b\"\n"
     "    bearer_token: t\n    token_file: /t\n",
     "f.yaml:5: edge.auth_service.url: expected http://HOST... or https://HOST...\n"
     "f.yaml:9: edge.auth_service.token_file: there is bearer_token as well: give one of them\n"
     "f.yaml:7: edge.auth_service.header: expected the name of a header: letters, digits, - and _\n"
     "f.yaml:6: edge.auth_service.timeout: twice it and 1 s must fit into "
     "limits.handshake_timeout"},
    {"AuthServiceRange",
     "edge:\n  ingests: {dns_name: a:1}\n  endpoints: [{auth: {service: maybe, secret: s}}]\n"
     "  auth_service:\n    on_failure: ignore\n    max_calls: 0\n",
     "f.yaml:3: edge.endpoints[0].auth.service: expected one of off, also, instead, found "
     "\"maybe\"\n"
     "f.yaml:6: edge.auth_service.max_calls: expected a whole number from 1 to 1000, found \"0\"\n"
     "f.yaml:5: edge.auth_service.on_failure: expected one of refuse, accept, found \"ignore\""},
    {"AuthServiceInsteadOfKeys",
     "edge:\n  ingests: {dns_name: a:1}\n  auth_service: {url: http://a, on_failure: accept}\n"
     "  endpoints:\n    - auth: {service: instead, secret: s}\n",
     "f.yaml:5: edge.endpoints[0].auth.service: the service decides about tokens instead of keys, "
     "and there are keys: leave secret and issuers out, or set also\n"
     "f.yaml:5: edge.endpoints[0].auth.service: cannot go with auth_service.on_failure: accept, "
     "since nobody else has checked the token"},
    {"AuthServiceWithoutUrl",
     "edge:\n  ingests: {dns_name: a:1}\n  endpoints:\n    - auth: {service: instead}\n",
     "f.yaml:4: edge.endpoints[0].auth.service: needs edge.auth_service.url: nobody knows any "
     "token"},
    {"AuthServiceBesideNothing",
     "edge:\n  ingests: {dns_name: a:1}\n  auth_service: {url: http://a}\n"
     "  endpoints:\n    - auth: {required: false}\n",
     "f.yaml:5: edge.endpoints[0].auth.service: there are no keys beside which the service could "
     "be "
     "asked: set instead, for it to decide about tokens, or off"},
    {"NoIngests", "edge:\n  endpoints: [{auth: {required: false}}]\n",
     "f.yaml:1: edge.ingests: needs addresses or dns_name"},
    {"NoEndpoints", "edge:\n  ingests: {dns_name: a:1}\n",
     "f.yaml:1: edge.endpoints: required, but missing"},
    {"CompressionRange",
     "edge:\n  ingests: {dns_name: a:1}\n  compression:\n    level: 10\n"
     "  endpoints: [{auth: {required: false}, compression: {mode: sometimes}}]\n",
     "f.yaml:5: edge.endpoints[0].compression.mode: expected one of off, auto, always, found "
     "\"sometimes\"\n"
     "f.yaml:4: edge.compression.level: expected a whole number from 1 to 9, found \"10\""},
    {"CompressionRules",
     "edge:\n  ingests: {dns_name: a:1}\n  endpoints:\n    - auth: {required: false}\n"
     "      params: [{name: zip}]\n      compression:\n        query_param: zip\n"
     "        mode: always\n        user_agents: [phone]\n"
     "    - path: /b\n      auth: {required: false}\n      compression: {query_param: token}\n",
     "f.yaml:7: edge.endpoints[0].compression.query_param: the endpoint uses \"zip\" for something "
     "else; choose another name, or an empty one\n"
     "f.yaml:9: edge.endpoints[0].compression.user_agents: means something with mode: auto only\n"
     "f.yaml:12: edge.endpoints[1].compression.query_param: the endpoint uses \"token\" for "
     "something else; choose another name, or an empty one"},
    {"EdgeRules",
     "edge:\n  listen: nowhere\n  ingests: {addresses: [b]}\n  endpoints:\n"
     "    - {path: ws, auth: {secret: s, query_param: \"\", header: \"\", subprotocol_prefix: "
     "\"\"},\n"
     "       heartbeat: {interval: 9s, timeout: 9s}}\n"
     "    - {path: ws, auth: {secret: s}}\n"
     "  channels:\n    - pattern: a..b\n  tls: {cert_file: x}\n",
     "f.yaml:2: edge.listen: expected host:port, found \"nowhere\"\n"
     "f.yaml:10: edge.tls: a listener's TLS needs cert_file and key_file\n"
     "f.yaml:3: edge.ingests.addresses[0]: expected host:port, found \"b\"\n"
     "f.yaml:5: edge.endpoints[0].path: expected a path that starts with /, found \"ws\"\n"
     "f.yaml:5: edge.endpoints[0].auth: tokens are required, but query_param, header, "
     "subprotocol_prefix and cookie are empty\n"
     "f.yaml:6: edge.endpoints[0].heartbeat.timeout: must be longer than interval\n"
     "f.yaml:7: edge.endpoints[1].path: expected a path that starts with /, found \"ws\"\n"
     "f.yaml:7: edge.endpoints[1].path: there are two endpoints at ws\n"
     "f.yaml:9: edge.channels[0].pattern: not a channel pattern, for a channel name must not have "
     "an empty segment (at its ends or between '.', ':' and '/')"},
    {"PublishRules",
     "edge:\n  ingests: {addresses: ['b:1']}\n  endpoints: [{auth: {secret: s}}]\n  channels:\n"
     "    - {pattern: a, publish: {topic: a b}}\n"
     "    - {pattern: b, publish: {access: server, topic: a/b, roles: [x, '*']}}\n"
     "    - {pattern: c, publish: {access: everyone}}\n",
     "f.yaml:5: edge.channels[0].publish.access: required, but missing\n"
     "f.yaml:7: edge.channels[2].publish.access: expected one of anyone, authenticated, server, "
     "granted, found \"everyone\""},
    {"PublishRulesOfTheRightForm",
     "edge:\n  ingests: {addresses: ['b:1']}\n  endpoints: [{auth: {secret: s}}]\n  channels:\n"
     "    - {pattern: b, publish: {access: server, topic: a/b, roles: [x, '*']}}\n",
     "f.yaml:5: edge.channels[0].publish.access: server would let nobody publish: leave the "
     "section "
     "out\n"
     "f.yaml:5: edge.channels[0].publish.topic: expected the name of a Kafka topic, of letters, "
     "digits and . _ -, found \"a/b\"\n"
     "f.yaml:5: edge.channels[0].publish.roles: * stands alone: with it no role is needed"},
    {"IngestRules",
     "ingest:\n  routes:\n    - {name: a, emit: [{channels: c}]}\n"
     "    - {name: a, topics: t, decode: {format: protobuf}, emit: [{channels: c}]}\n",
     "f.yaml:3: ingest.routes[0]: a route needs topics or topics_regex\n"
     "f.yaml:4: ingest.routes[1].name: there are two routes named a\n"
     "f.yaml:4: ingest.routes[1].decode: protobuf needs descriptor_set and message"},
    {"OpenHttp",
     "edge:\n  ingests: {addresses: 'b:1'}\n  endpoints: [{path: /ws, auth: {secret: "
     "0123456789abcdef0123456789abcdef}}]\n"
     "  admin: {http: true}\n",
     "f.yaml:4: edge.admin.http: needs bearer_token or callers: ops_listen (0.0.0.0:8081) is open "
     "to "
     "others than this machine"},
    {"AdminCallers",
     "edge:\n  ingests: {addresses: 'b:1'}\n  endpoints: [{path: /ws, auth: {secret: "
     "0123456789abcdef0123456789abcdef}}]\n"
     "  admin:\n    callers:\n"
     "      - {name: a, role: viewer}\n"
     "      - {name: a, role: admin, certificate_san: x}\n",
     "f.yaml:6: edge.admin.callers[0]: needs bearer_token, token_file, certificate_subject or "
     "certificate_san\n"
     "f.yaml:7: edge.admin.callers[1].name: there are two callers named a\n"
     "f.yaml:7: edge.admin.callers[1]: nobody is asked for a certificate: the port's tls needs "
     "ca_file"},
    {"AdminRole",
     "edge:\n  ingests: {addresses: 'b:1'}\n  endpoints: [{path: /ws, auth: {secret: "
     "0123456789abcdef0123456789abcdef}}]\n"
     "  admin:\n    callers:\n"
     "      - {name: a, role: publisher, bearer_token: x}\n"
     "      - {name: b, bearer_token: y}\n",
     "f.yaml:6: edge.admin.callers[0].role: expected one of viewer, operator, admin, found "
     "\"publisher\"\n"
     "f.yaml:7: edge.admin.callers[1].role: required, but missing"},
    {"AdminAliases",
     "edge:\n  ingests: {addresses: 'b:1'}\n  endpoints: [{path: /ws, auth: {secret: "
     "0123456789abcdef0123456789abcdef}}]\n  advertised_public_address: here\n"
     "  admin:\n    aliases:\n      - {path: stats, call: GetStats}\n      - {path: /x}\n",
     "f.yaml:8: edge.admin.aliases[1].call: required, but missing"},
    {"AdminAliasesWithoutHttp",
     "edge:\n  ingests: {addresses: 'b:1'}\n  endpoints: [{path: /ws, auth: {secret: "
     "0123456789abcdef0123456789abcdef}}]\n  advertised_public_address: here\n"
     "  admin:\n    aliases:\n      - {path: stats, call: GetStats}\n",
     "f.yaml:7: edge.admin.aliases[0]: needs edge.admin.http: it is a path of that\n"
     "f.yaml:7: edge.admin.aliases[0].path: expected a path that starts with /, found \"stats\"\n"
     "f.yaml:4: edge.advertised_public_address: expected host:port, found \"here\""},
    {"EndlessAlias", "ingest: &a\n  kafka: *a\n",
     "f.yaml:1: nested too deeply or too large\n"
     "f.yaml:2: ingest.kafka.kafka: unknown key; expected one of brokers, client_id, group_id, "
     "properties"},
};

class BadConfigTest : public testing::TestWithParam<Case> {};

TEST_P(BadConfigTest, SaysExactly) {
  FakeEnvironment environment;
  environment.files["f.yaml"] = GetParam().text;
  Sources sources;
  sources.files = {"f.yaml"};
  const auto loaded = Load(sources, environment);
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(loaded.status().message()), GetParam().lines);
}

INSTANTIATE_TEST_SUITE_P(All, BadConfigTest, testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

std::string ErrorOf(const Sources& sources, const FakeEnvironment& environment) {
  return std::string(Load(sources, environment).status().message());
}

TEST(BadSourcesTest, FilesPresetsAndOverrides) {
  FakeEnvironment environment;
  environment.files = {{"p/one.yaml", ""}, {"p/two.yaml", ""}, {"p/note.txt", ""}};
  Sources sources;
  sources.files = {"none.yaml"};
  EXPECT_EQ(ErrorOf(sources, environment), "none.yaml: cannot be read: No such file or directory");
  sources.files = {};
  sources.presets = {"three"};
  sources.preset_folders = {"p"};
  EXPECT_EQ(ErrorOf(sources, environment), "--preset three: no such preset; known: one, two");
  sources.presets = {"../one"};
  EXPECT_EQ(ErrorOf(sources, environment), "--preset ../one: no such preset; known: one, two");
  sources.presets = {};
  sources.overrides = {"ingest.shards"};
  EXPECT_EQ(ErrorOf(sources, environment),
            "--set: expected key.path=value, found \"ingest.shards\"");
  sources.overrides = {"ingest.shards=x"};
  EXPECT_EQ(
      ErrorOf(sources, environment),
      "--set ingest.shards: ingest.shards: expected a whole number from 0 to 256, found \"x\"");
  sources.overrides = {"ingest.routes[1].name=x"};
  EXPECT_EQ(ErrorOf(sources, environment),
            "--set ingest.routes[1].name: there is no element 1 in \"routes\"; it has 0");
  sources.overrides = {"ingest.routes[x].name=x"};
  EXPECT_EQ(ErrorOf(sources, environment),
            "--set ingest.routes[x].name: not a key path such as a.b[0].c");
  sources.overrides = {"ingest.nodeid=x"};
  EXPECT_EQ(ErrorOf(sources, environment),
            "--set ingest.nodeid: ingest.nodeid: unknown key; did you mean \"node_id\"?");
}

TEST(BadSourcesTest, SecretsAreNotShown) {
  FakeEnvironment environment;
  Sources sources;
  sources.overrides = {"ingest.publish.bearer_token=[hush]"};
  EXPECT_EQ(ErrorOf(sources, environment).find("hush"), std::string::npos);
}

TEST(BadSourcesTest, AliasBombIsBounded) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string previous = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + previous;
    for (int j = 0; j < 9; ++j) text += ", " + previous;
    text += "]\n";
  }
  FakeEnvironment environment;
  environment.files["f.yaml"] = text;
  Sources sources;
  sources.files = {"f.yaml"};
  EXPECT_NE(ErrorOf(sources, environment).find("nested too deeply or too large"),
            std::string::npos);
}

}  // namespace
}  // namespace spillway::config
