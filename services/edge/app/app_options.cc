#include "services/edge/app/app_options.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/app/service_main.h"
#include "common/app/tls_files.h"
#include "services/edge/app/admin_door.h"
#include "services/edge/app/app_endpoints.h"

namespace spillway::edge {
namespace {

using std::chrono::milliseconds;

// 0: there is none.
template <typename Type>
Type BoundOf(int64_t configured) {
  return configured == 0 ? std::numeric_limits<Type>::max() : static_cast<Type>(configured);
}

void SetLimits(const v1::EdgeLimitsConfig& limits, EdgeOptions* options) {
  ws::ConnectionOptions& connection = options->worker.connection;
  connection.max_message_bytes = static_cast<size_t>(limits.max_message_bytes());
  connection.backlog.bytes = static_cast<size_t>(limits.outbox_bytes());
  connection.backlog.messages = static_cast<size_t>(limits.outbox_messages());
  connection.write_timeout = milliseconds(limits.write_timeout());
  options->worker.notsent_lowat_bytes = static_cast<int>(limits.tcp_notsent_lowat());
  options->worker.handshake_timeout = milliseconds(limits.handshake_timeout());
  options->limits.max_subscriptions = BoundOf<size_t>(limits.max_subscriptions());
  options->limits.max_patterns = static_cast<size_t>(limits.connection_patterns());
  options->node_patterns = static_cast<size_t>(limits.node_patterns());
  options->limits.messages =
      limits.has_messages()
          ? RateOf(limits.messages())
          : Rate::Of(static_cast<uint32_t>(limits.messages_per_second()), std::chrono::seconds(1),
                     static_cast<uint32_t>(limits.message_burst()));
  options->limits.node_messages = RateOf(limits.node_messages()).Share(options->threads);
  options->limits.low_backlog_bytes = connection.backlog.bytes / 2;
  options->limits.low_backlog_messages = connection.backlog.messages / 2;
  options->max_connections = BoundOf<int64_t>(limits.max_connections());
}

void SetConnectionLimits(const v1::EdgeLimitsConfig& limits, ConnectionLimits::Options* options) {
  options->handshakes = RateOf(limits.handshakes());
  options->users.connections = limits.connections_per_user();
  options->users.messages = RateOf(limits.user_messages());
  options->users.subscribes = RateOf(limits.user_subscribes());
  options->users.publishes = RateOf(limits.user_publishes());
  options->unauthenticated = BoundOf<int64_t>(limits.max_unauthenticated());
  options->ips.connections = limits.connections_per_ip();
  options->ips.failures = static_cast<uint32_t>(limits.ip_failures());
  options->ips.window = milliseconds(limits.ip_failure_window());
  options->ips.block = milliseconds(limits.ip_block_time());
}

void SetLanes(const v1::EdgeConfig& config, HubShard::Options* hub) {
  hub->lane_intervals = {milliseconds(0), milliseconds(config.frequencies().normal()),
                         milliseconds(config.frequencies().low()),
                         milliseconds(config.frequencies().background())};
  hub->lane_events = static_cast<size_t>(config.limits().lane_events());
  hub->lane_bytes = static_cast<size_t>(config.limits().lane_bytes());
}

void SetLink(const v1::EdgeConfig& config, EdgeOptions* options) {
  LinkRuntime::Options& link = options->link;
  link.addresses.assign(config.ingests().addresses().begin(), config.ingests().addresses().end());
  link.dns_name = config.ingests().dns_name();
  link.dns_refresh = milliseconds(config.ingests().refresh());
  link.log_interval = milliseconds(config.log().repeat_interval());
  link.core.node_id = options->node_id;
  link.core.version = app::kVersion;
  link.core.credit_bytes = config.ingests().credit_bytes();
  link.core.read_timeout = milliseconds(config.snapshot_timeout());
  link.core.history_timeout = milliseconds(config.resume_timeout());
}

absl::Status SetAliases(const v1::AdminConfig& admin, EdgeOptions* options) {
  for (const v1::HttpAliasConfig& alias : admin.aliases()) {
    options->admin_aliases.push_back(
        {.verb = alias.method(), .path = alias.path(), .method = alias.call()});
  }
  if (admin.aliases_size() > 0 && !admin.http()) {
    return absl::InvalidArgumentError(
        "edge.admin.aliases: they are of the admin API over HTTP: set edge.admin.http");
  }
  const absl::Status status =
      gateway::CheckAliases(options->admin_aliases, "spillway.v1.AdminService");
  if (status.ok()) return status;
  return absl::InvalidArgumentError(absl::StrCat("edge.admin.aliases", status.message()));
}

void SetPublish(const v1::EdgeConfig& config, EdgeOptions* options) {
  const v1::EdgePublishConfig& publish = config.publish();
  options->publish_desk.connection = static_cast<size_t>(publish.connection_in_flight());
  options->publish_client.timeout = milliseconds(publish.timeout());
  options->publish_client.log_interval = milliseconds(config.log().repeat_interval());
  options->publishes_in_flight = static_cast<size_t>(publish.node_in_flight());
  options->publish_bytes = static_cast<size_t>(publish.node_bytes());
  options->publish_token = publish.bearer_token();
  options->publish_token_file = publish.token_file();
}

absl::Status SetControl(const v1::EdgeConfig& config, EdgeOptions* options) {
  const v1::EdgeControlConfig& control = config.control();
  options->control.wait = milliseconds(control.wait());
  options->connection_limits.blocks.max_entries = static_cast<size_t>(control.max_entries());
  options->revocation_ttl = milliseconds(control.revocation_ttl());
  options->control_token = control.bearer_token();
  options->peer_timeout = milliseconds(control.peer_timeout());
  options->peer_token =
      control.peer_token().empty() ? config.admin().bearer_token() : control.peer_token();
  options->peer_token_file = control.peer_token_file();
  options->link_token = config.ingests().bearer_token();
  options->link_token_file = config.ingests().token_file();
  for (const auto& [key, token] : {std::pair("edge.ingests.bearer_token", &options->link_token),
                                   std::pair("edge.control.bearer_token", &options->control_token),
                                   std::pair("edge.publish.bearer_token", &options->publish_token),
                                   std::pair("edge.control.peer_token", &options->peer_token)}) {
    if (token->empty()) continue;
    if (const absl::Status status = rpc::CheckToken(*token); !status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(key, ": ", status.message()));
    }
  }
  for (const auto& [key, file] :
       {std::pair("edge.control.peer_token_file", &options->peer_token_file),
        std::pair("edge.ingests.token_file", &options->link_token_file),
        std::pair("edge.publish.token_file", &options->publish_token_file)}) {
    if (file->empty()) continue;
    if (const auto token = rpc::ReadFirstToken(*file); !token.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(key, ": ", token.status().message()));
    }
  }
  if (control.has_peer_tls()) {
    auto files = app::TlsFilesOf("edge.control.peer_tls", control.peer_tls());
    if (!files.ok()) return files.status();
    options->peer_tls = *std::move(files);
  } else {
    // As clients of a server that is set up alike: its authorities, its certificate.
    options->peer_tls = options->admin_tls;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<EdgeOptions> MakeEdgeOptions(const v1::EdgeConfig& config) {
  EdgeOptions options;
  options.node_id = app::NodeId(config.node_id());
  options.threads = config.threads() > 0 ? static_cast<size_t>(config.threads())
                                         : std::max(1U, std::thread::hardware_concurrency());
  auto listen = app::ListenAddressAt("edge.listen", config.listen());
  if (!listen.ok()) return listen.status();
  options.listen = *listen;
  if (config.has_tls()) {
    options.public_tls = {.cert = config.tls().cert_file(),
                          .key = config.tls().key_file(),
                          .ca = config.tls().ca_file()};
    options.public_tls_options.kernel = config.tls().kernel();
  }
  auto proxies = net::TrustedProxies::Parse(
      {config.trusted_proxies().begin(), config.trusted_proxies().end()});
  if (!proxies.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("edge.trusted_proxies: ", proxies.status().message()));
  }
  options.worker.trusted_proxies = *std::move(proxies);
  options.worker.proxy_protocol = config.proxy_protocol();
  if (config.proxy_protocol() && config.trusted_proxies().empty()) {
    return absl::InvalidArgumentError(
        "edge.proxy_protocol: name the proxies that send it in edge.trusted_proxies");
  }
  options.has_ops = !config.ops_listen().empty();
  if (options.has_ops) {
    auto ops = app::ListenAddressAt("edge.ops_listen", config.ops_listen());
    if (!ops.ok()) return ops.status();
    options.ops_listen = *ops;
  }
  options.admin_listen = config.admin().listen();
  options.admin_door = AdminDoorOf(config.admin());
  // Reads files: an operator hears of what is wrong with them before anything runs.
  if (const auto access = rpc::Access::Create({options.admin_door}, Clock::Real()); !access.ok()) {
    return access.status();
  }
  options.admin_http = config.admin().http();
  if (absl::Status status = SetAliases(config.admin(), &options); !status.ok()) return status;
  options.drain_lead = std::chrono::milliseconds(config.drain().lead());
  options.drain_spread = std::chrono::milliseconds(config.drain().spread());
  if (config.admin().has_tls()) {
    auto files = app::TlsFilesOf("edge.admin.tls", config.admin().tls());
    if (!files.ok()) return files.status();
    options.admin_tls = *std::move(files);
  }
  if (config.ingests().has_tls()) {
    auto files = app::TlsFilesOf("edge.ingests.tls", config.ingests().tls());
    if (!files.ok()) return files.status();
    options.link.tls = *std::move(files);
  }
  if (config.ingests().addresses().empty() && config.ingests().dns_name().empty()) {
    return absl::InvalidArgumentError(
        "edge.ingests: no ingest is named: set addresses or dns_name");
  }
  SetLimits(config.limits(), &options);
  SetConnectionLimits(config.limits(), &options.connection_limits);
  const auto handshakes = BoundOf<uint32_t>(config.limits().max_handshakes());
  options.worker.max_handshakes = (size_t{handshakes} + options.threads - 1) / options.threads;
  options.worker.deflate = CompressesForSome(config);
  options.hub.checkpoint_interval = milliseconds(config.checkpoint_interval());
  SetLanes(config, &options.hub);
  SetLink(config, &options);
  SetPublish(config, &options);
  if (absl::Status status = SetControl(config, &options); !status.ok()) return status;
  options.shutdown_grace = milliseconds(config.shutdown_grace());
  options.ready_grace = milliseconds(config.ready_grace());
  options.report_degraded = config.report_degraded();

  options.advertised_address = config.advertised_address();
  options.advertised_public_address = config.advertised_public_address();
  return options;
}

v1::NodeAddresses AddressesOf(const EdgeOptions& options, int public_port, int ops_port,
                              int admin_port) {
  const std::string host = app::HostName();
  v1::NodeAddresses addresses;
  addresses.set_public_address(options.advertised_public_address.empty()
                                   ? app::HostPort(host, public_port)
                                   : options.advertised_public_address);
  if (ops_port != 0) addresses.set_ops_address(app::HostPort(host, ops_port));
  if (!options.advertised_address.empty()) {
    addresses.set_grpc_address(options.advertised_address);
  } else if (admin_port != 0) {
    const std::string listen = options.admin_listen.substr(0, options.admin_listen.rfind(':'));
    const bool every = listen.empty() || listen == "0.0.0.0" || listen == "[::]";
    addresses.set_grpc_address(every ? app::HostPort(host, admin_port)
                                     : absl::StrCat(listen, ":", admin_port));
  }
  return addresses;
}

}  // namespace spillway::edge
