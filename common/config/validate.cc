#include "common/config/validate.h"

#include <set>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/strings.h"
#include "common/channel/channel_pattern.h"

namespace spillway::config {
namespace {

// For a client to be told, once the time for its check is over.
constexpr int64_t kAuthSlackMs = 1'000;

class Validator {
 public:
  Validator(const Locations& locations, Errors& errors) : locations_(locations), errors_(errors) {}

  void CheckIngest(const v1::IngestConfig& config) {
    CheckAddress("ingest.listen", config.listen());
    CheckAddress("ingest.ops_listen", config.ops_listen());
    CheckAddress("ingest.advertised_address", config.advertised_address());
    if (config.has_tls()) CheckServerTls("ingest.tls", config.tls());
    CheckCallers("ingest.publish.callers", config.publish().callers(), config.tls());
    CheckCallers("ingest.link.callers", config.link().callers(), config.tls());
    if (config.publish().http() && IsOpen(config.publish())) {
      CheckOpenHttp("ingest.publish.http", config.ops_listen(), config.tls());
    }
    std::set<std::string> names;
    for (int i = 0; i < config.routes_size(); ++i) {
      const v1::RouteConfig& route = config.routes(i);
      const std::string path = absl::StrCat("ingest.routes[", i, "]");
      if (!names.insert(route.name()).second) {
        Add(absl::StrCat(path, ".name"), absl::StrCat("there are two routes named ", route.name()));
      }
      if (route.topics().empty() && route.topics_regex().empty()) {
        Add(path, "a route needs topics or topics_regex");
      }
      const bool protobuf = route.decode().format() == v1::VALUE_FORMAT_PROTOBUF;
      if (protobuf &&
          (route.decode().descriptor_set().empty() || route.decode().message().empty())) {
        Add(absl::StrCat(path, ".decode"), "protobuf needs descriptor_set and message");
      }
    }
  }

  // The operations port has no TLS, and asks for no certificate: without a token nothing would keep
  // anyone out.
  void CheckOpenHttp(const std::string& key, const std::string& ops_listen,
                     const v1::TlsConfig& tls) {
    const bool local = absl::StartsWith(ops_listen, "127.") ||
                       absl::StartsWith(ops_listen, "[::1]") ||
                       absl::StartsWith(ops_listen, "localhost:");
    if (!tls.ca_file().empty()) {
      Add(key,
          "needs bearer_token or callers: ops_listen does not ask for the certificates that "
          "ca_file is for");
    } else if (!local) {
      Add(key, absl::StrCat("needs bearer_token or callers: ops_listen (", ops_listen,
                            ") is open to others than this machine"));
    }
  }

  void CheckEdge(const v1::EdgeConfig& config) {
    CheckAddress("edge.listen", config.listen());
    CheckAddress("edge.ops_listen", config.ops_listen());
    CheckAddress("edge.advertised_address", config.advertised_address());
    CheckAddress("edge.admin.listen", config.admin().listen());
    if (config.has_tls()) CheckServerTls("edge.tls", config.tls());
    if (config.admin().has_tls()) CheckServerTls("edge.admin.tls", config.admin().tls());
    CheckCallers("edge.admin.callers", config.admin().callers(), config.admin().tls());
    if (config.admin().http() && IsOpen(config.admin())) {
      CheckOpenHttp("edge.admin.http", config.ops_listen(), config.admin().tls());
    }
    for (int i = 0; i < config.admin().aliases_size(); ++i) {
      const std::string path = absl::StrCat("edge.admin.aliases[", i, "]");
      if (!config.admin().http()) Add(path, "needs edge.admin.http: it is a path of that");
      if (!config.admin().aliases(i).path().starts_with("/")) {
        Add(path + ".path", absl::StrCat("expected a path that starts with /, found \"",
                                         config.admin().aliases(i).path(), "\""));
      }
    }
    if (!config.advertised_public_address().empty()) {
      CheckAddress("edge.advertised_public_address", config.advertised_public_address());
    }
    CheckIngests(config.ingests());
    CheckAuthService(config);
    std::set<std::string> paths;
    for (int i = 0; i < config.endpoints_size(); ++i) {
      const std::string path = absl::StrCat("edge.endpoints[", i, "]");
      CheckEndpoint(path, config.endpoints(i));
      CheckAuthServiceUse(path, config.auth_service(), config.endpoints(i).auth());
      if (!paths.insert(config.endpoints(i).path()).second) {
        Add(absl::StrCat(path, ".path"),
            absl::StrCat("there are two endpoints at ", config.endpoints(i).path()));
      }
    }
    for (int i = 0; i < config.channels_size(); ++i) {
      const auto pattern = ChannelPattern::Parse(config.channels(i).pattern());
      if (!pattern.ok()) {
        Add(absl::StrCat("edge.channels[", i, "].pattern"), Std(pattern.status().message()));
      }
      if (config.channels(i).has_publish()) {
        CheckPublish(absl::StrCat("edge.channels[", i, "].publish"), config.channels(i).publish());
      }
    }
  }

  // Whether anybody may call.
  template <typename Section>
  static bool IsOpen(const Section& section) {
    return section.bearer_token().empty() && section.callers().empty();
  }

  // `tls`: of the port that they call.
  template <typename Callers>
  void CheckCallers(const std::string& key, const Callers& callers, const v1::TlsConfig& tls) {
    std::set<std::string> names;
    for (int i = 0; i < callers.size(); ++i) {
      const auto& caller = callers.Get(i);
      const std::string path = absl::StrCat(key, "[", i, "]");
      const bool certificate =
          !caller.certificate_subject().empty() || !caller.certificate_san().empty();
      if (!names.insert(caller.name()).second) {
        Add(absl::StrCat(path, ".name"),
            absl::StrCat("there are two callers named ", caller.name()));
      }
      if (caller.bearer_token().empty() && caller.token_file().empty() && !certificate) {
        Add(path, "needs bearer_token, token_file, certificate_subject or certificate_san");
      }
      if (certificate && tls.ca_file().empty()) {
        Add(path, "nobody is asked for a certificate: the port's tls needs ca_file");
      }
    }
  }

 private:
  void Add(const std::string& path, std::string_view what) {
    errors_.AddLine(absl::StrCat(locations_.Describe(path), ": ", Abs(what)));
  }

  void CheckAddress(const std::string& path, const std::string& address) {
    if (address.empty() || IsHostPort(address)) return;
    Add(path, absl::StrCat("expected host:port, found \"", address, "\""));
  }

  template <typename Tls>
  void CheckServerTls(const std::string& path, const Tls& tls) {
    if (tls.cert_file().empty() || tls.key_file().empty()) {
      Add(path, "a listener's TLS needs cert_file and key_file");
    }
  }

  void CheckPublish(const std::string& path, const v1::ChannelPublishConfig& publish) {
    if (publish.access() == v1::CHANNEL_ACCESS_SERVER) {
      Add(path + ".access", "server would let nobody publish: leave the section out");
    }
    if (!std::all_of(publish.topic().begin(), publish.topic().end(), [](char c) {
          return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 c == '.' || c == '_' || c == '-';
        })) {
      Add(path + ".topic",
          absl::StrCat("expected the name of a Kafka topic, of letters, digits and "
                       ". _ -, found \"",
                       publish.topic(), "\""));
    }
    if (publish.roles_size() > 1 &&
        std::find(publish.roles().begin(), publish.roles().end(), "*") != publish.roles().end()) {
      Add(path + ".roles", "* stands alone: with it no role is needed");
    }
  }

  void CheckIngests(const v1::IngestsConfig& ingests) {
    if (ingests.addresses().empty() && ingests.dns_name().empty()) {
      Add("edge.ingests", "needs addresses or dns_name");
    }
    for (int i = 0; i < ingests.addresses_size(); ++i) {
      CheckAddress(absl::StrCat("edge.ingests.addresses[", i, "]"), ingests.addresses(i));
    }
    CheckAddress("edge.ingests.dns_name", ingests.dns_name());
    if (ingests.has_tls() &&
        ingests.tls().cert_file().empty() != ingests.tls().key_file().empty()) {
      Add("edge.ingests.tls", "cert_file and key_file go together");
    }
  }

  static bool HasKeys(const v1::AuthConfig& auth) {
    return !auth.secret().empty() || !auth.issuers().empty();
  }

  void CheckAuthService(const v1::EdgeConfig& config) {
    const v1::AuthServiceConfig& service = config.auth_service();
    if (service.url().empty()) return;
    if (!absl::StartsWithIgnoreCase(service.url(), "http://") &&
        !absl::StartsWithIgnoreCase(service.url(), "https://")) {
      Add("edge.auth_service.url", "expected http://HOST... or https://HOST...");
    }
    if (!service.bearer_token().empty() && !service.token_file().empty()) {
      Add("edge.auth_service.token_file", "there is bearer_token as well: give one of them");
    }
    for (const char c : service.header()) {
      if (absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_') continue;
      Add("edge.auth_service.header", "expected the name of a header: letters, digits, - and _");
      break;
    }
    // It is waited for before a call, and in it; a client is to hear of it before its time is over.
    if (2 * service.timeout() + kAuthSlackMs > config.limits().handshake_timeout()) {
      Add("edge.auth_service.timeout", "twice it and 1 s must fit into limits.handshake_timeout");
    }
  }

  void CheckAuthServiceUse(const std::string& path, const v1::AuthServiceConfig& service,
                           const v1::AuthConfig& auth) {
    const std::string key = path + ".auth.service";
    if (auth.service() == v1::AUTH_SERVICE_USE_INSTEAD) {
      if (service.url().empty()) Add(key, "needs edge.auth_service.url: nobody knows any token");
      if (HasKeys(auth)) {
        Add(key,
            "the service decides about tokens instead of keys, and there are keys: leave "
            "secret and issuers out, or set also");
      }
      if (service.on_failure() == v1::AUTH_SERVICE_FAILURE_ACCEPT) {
        Add(key,
            "cannot go with auth_service.on_failure: accept, since nobody else has checked "
            "the token");
      }
    } else if (auth.service() == v1::AUTH_SERVICE_USE_ALSO && !service.url().empty() &&
               !HasKeys(auth)) {
      Add(key,
          "there are no keys beside which the service could be asked: set instead, for it to "
          "decide about tokens, or off");
    }
  }

  void CheckEndpoint(const std::string& path, const v1::EndpointConfig& endpoint) {
    if (endpoint.path()[0] != '/') {
      Add(absl::StrCat(path, ".path"),
          absl::StrCat("expected a path that starts with /, found \"", endpoint.path(), "\""));
    }
    const v1::AuthConfig& auth = endpoint.auth();
    if (auth.required() && !HasKeys(auth) && auth.service() != v1::AUTH_SERVICE_USE_INSTEAD) {
      Add(absl::StrCat(path, ".auth.secret"),
          "tokens are required, but there is no secret to check them with; set it, or issuers, or "
          "set required: false");
    }
    if (auth.required() && auth.query_param().empty() && auth.header().empty() &&
        auth.subprotocol_prefix().empty() && auth.cookie().empty() && !auth.message()) {
      Add(absl::StrCat(path, ".auth"),
          "tokens are required, but query_param, header, subprotocol_prefix and cookie are empty");
    }
    if (!auth.cookie().empty() && endpoint.origins().empty()) {
      Add(absl::StrCat(path, ".auth.cookie"),
          "needs origins: else any web page could connect as its visitor");
    }
    const v1::EndpointCompressionConfig& compression = endpoint.compression();
    if (!compression.query_param().empty()) {
      bool taken = compression.query_param() == auth.query_param();
      for (const v1::ParamConfig& param : endpoint.params()) {
        taken = taken || (param.name() == compression.query_param() &&
                          compression.mode() != v1::COMPRESSION_MODE_OFF);
      }
      if (taken) {
        Add(absl::StrCat(path, ".compression.query_param"),
            absl::StrCat("the endpoint uses \"", compression.query_param(),
                         "\" for something else; choose another name, or an empty one"));
      }
    }
    for (int i = 0; i < compression.user_agents_size(); ++i) {
      if (compression.user_agents(i).empty()) {
        Add(absl::StrCat(path, ".compression.user_agents[", i, "]"),
            "an empty text matches all clients; set mode: always instead");
      }
    }
    if (!compression.user_agents().empty() && compression.mode() != v1::COMPRESSION_MODE_AUTO) {
      Add(absl::StrCat(path, ".compression.user_agents"), "means something with mode: auto only");
    }
    const v1::HeartbeatConfig& heartbeat = endpoint.heartbeat();
    if (heartbeat.timeout() != 0 && heartbeat.interval() != 0 &&
        heartbeat.timeout() <= heartbeat.interval()) {
      Add(absl::StrCat(path, ".heartbeat.timeout"), "must be longer than interval");
    }
  }

  const Locations& locations_;
  Errors& errors_;
};

}  // namespace

void Validate(const v1::Config& config, const Locations& locations, Errors& errors) {
  Validator validator(locations, errors);
  if (config.has_ingest()) validator.CheckIngest(config.ingest());
  if (config.has_edge()) validator.CheckEdge(config.edge());
}

bool MatchesWildcard(std::string_view pattern, std::string_view text) {
  size_t p = 0;
  size_t t = 0;
  size_t star = std::string_view::npos;
  size_t resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool IsHostPort(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view host = text.substr(0, colon);
  const std::string_view port_text = text.substr(colon + 1);
  int port = -1;
  if (port_text.find_first_not_of("0123456789") != std::string_view::npos) return false;
  if (!absl::SimpleAtoi(Abs(port_text), &port) || port > 65535) return false;
  const bool bracketed = host.front() == '[' && host.back() == ']' && host.size() > 2;
  return bracketed || host.find_first_of(":[] /") == std::string_view::npos;
}

}  // namespace spillway::config
