#include "services/ingest/app/ingest_app.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/app/listen_address.h"
#include "common/app/metric_names.h"
#include "common/app/service_main.h"
#include "common/http/ops_routes.h"
#include "common/log/log.h"
#include "services/ingest/app/ingest_doors.h"
#include "services/ingest/kafka/client_config.h"

namespace spillway::ingest {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds kAuditGrace{2'000};  // for its last lines

size_t ShardCount(const v1::IngestConfig& config) {
  const auto configured = static_cast<size_t>(config.shards());
  return configured > 0 ? configured : std::max(1u, std::thread::hardware_concurrency());
}

// What is wrong at a key: whoever prints it adds the key's place in the configuration.
absl::Status At(const char* key, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(key, ": ", status.message()));
}

}  // namespace

IngestApp::IngestApp(const Clock& clock) : clock_(clock) {}

IngestApp::~IngestApp() { Stop(milliseconds(0)); }

absl::Status IngestApp::Start(const config::Loaded& loaded) {
  const v1::IngestConfig& config = loaded.config.ingest();
  node_id_ = app::NodeId(config.node_id());
  lifecycle::Readiness::Options readiness;
  readiness.report_degraded = config.report_degraded();
  readiness_ = std::make_unique<lifecycle::Readiness>(clock_, std::move(readiness));
  board_ = std::make_unique<ReaderBoard>(clock_, *readiness_);
  readiness_->Expect("kafka", "disconnected");
  readiness_->Expect("catalogue", "incomplete");

  auto routes = RouteTable::Compile(config, loaded.locations, config::Environment::Real());
  if (!routes.ok()) return routes.status();
  routes_ = *std::move(routes);

  if (absl::Status status = StartKafka(config); !status.ok()) return status;
  if (absl::Status status = StartShards(config); !status.ok()) return status;
  if (absl::Status status = StartServers(config); !status.ok()) return status;
  AddMetrics();
  if (absl::Status status = registry_.SetAliases(app::MetricAliases(config.metrics()));
      !status.ok()) {
    return status;
  }
  return registry_.status();
}

absl::Status IngestApp::StartKafka(const v1::IngestConfig& config) {
  kafka_.log_limit =
      std::make_shared<log::RateLimited>(clock_, milliseconds(config.log().repeat_interval()));
  kafka_.brokers = config.kafka().brokers();
  kafka_.client_id = config.kafka().client_id();
  kafka_.group_id = config.kafka().group_id();
  for (const auto& [name, value] : config.kafka().properties()) kafka_.properties[name] = value;
  if (config.embedded_broker().enabled()) {
    EmbeddedBroker::Options options;
    options.bootstrap_file = config.embedded_broker().bootstrap_file();
    for (const auto& topic : config.embedded_broker().topics()) {
      options.topics.push_back({topic.name(), topic.partitions()});
    }
    auto broker = EmbeddedBroker::Start(options);
    if (!broker.ok()) return broker.status();
    broker_ = *std::move(broker);
    kafka_.brokers = broker_->bootstrap();
    kafka_.embedded_broker = true;
  }
  if (absl::Status status = CheckSettings(kafka_); !status.ok()) return status;

  const auto shards = static_cast<int64_t>(ShardCount(config));
  PartitionConsumer::Options reading;
  reading.queue_bytes = std::max<int64_t>(reading.queue_bytes / shards, 4 << 20);
  reading.fetch_max_bytes =
      std::max(reading.fetch_max_bytes, config.limits().max_event_bytes() + (1 << 20));
  auto live = PartitionConsumer::Create(kafka_, reading);
  if (!live.ok()) return live.status();
  live_ = *std::move(live);
  auto scans = PartitionConsumer::Create(kafka_, reading);
  if (!scans.ok()) return scans.status();
  scans_ = *std::move(scans);

  control_ = std::make_unique<IngestControl>(config.control());
  audit_ = std::make_unique<IngestAudit>(config.audit());
  if (config.publish().enabled() || !config.dead_letter_topic().empty() || control_->enabled() ||
      audit_->enabled()) {
    Producer::Options writing;
    writing.delivery_timeout = milliseconds(config.publish().timeout());
    writing.max_in_flight_bytes = config.publish().max_in_flight_bytes();
    writing.max_message_bytes = static_cast<int>(
        std::max(config.publish().max_message_bytes(), config.limits().max_event_bytes()) +
        (64 << 10));
    auto producer = Producer::Create(kafka_, writing);
    if (!producer.ok()) return producer.status();
    producer_ = *std::move(producer);
  }
  if (!config.dead_letter_topic().empty()) {
    dead_letter_ = std::make_unique<DeadLetter>(
        *producer_, DeadLetter::Options{.topic = config.dead_letter_topic()});
  }
  if (!kafka_.group_id.empty()) {
    auto commits = LagCommits::Create(kafka_, {});
    if (!commits.ok()) return commits.status();
    lag_commits_ = *std::move(commits);
  }
  return absl::OkStatus();
}

absl::Status IngestApp::StartShards(const v1::IngestConfig& config) {
  LinkHub::Options links;
  links.hello.set_node_id(node_id_);
  links.hello.set_protocol(1);
  links.hello.set_version(app::kVersion);
  links.hello.set_route_hash(absl::StrCat(absl::Hex(routes_->hash(), absl::kZeroPad16)));
  links.hello.set_route_time_us(ToUnixMicros(clock_.WallNow()));
  links.hello.mutable_addresses()->set_grpc_address(config.advertised_address());
  links.session.ephemeral_bytes = static_cast<size_t>(config.limits().ephemeral_queue_bytes());
  links.session.interval = milliseconds(config.link_interval());
  links.max_links = static_cast<size_t>(config.limits().max_links());
  links.beat_interval = milliseconds(config.beat_interval());
  links.hello.set_control_topic(config.control().topic());
  hub_ = std::make_unique<LinkHub>(links, clock_);

  if (absl::Status status =
          control_->Create(kafka_, node_id_, clock_, producer_.get(), *hub_, *readiness_);
      !status.ok()) {
    return status;
  }
  if (absl::Status status = audit_->Create(kafka_, node_id_, clock_, producer_.get(), *readiness_);
      !status.ok()) {
    return status;
  }
  const size_t count = ShardCount(config);
  Shard::Options options;
  options.core.max_batch_bytes = static_cast<size_t>(config.limits().batch_bytes());
  options.core.linger = milliseconds(config.linger());
  options.log_interval = milliseconds(config.log().repeat_interval());
  for (size_t i = 0; i < count; ++i) {
    options.core.shard = i;
    shards_.push_back(std::make_unique<Shard>(options, clock_, *live_, *scans_, *hub_, *this,
                                              dead_letter_.get()));
  }
  reads_ = std::make_unique<ReadService>(ReadService::Options{.node_id = node_id_}, *this);
  hub_->SetShards(this);
  hub_->SetReadSink(reads_.get());

  catalogue_ = std::make_unique<CatalogueKeeper>(routes_);
  MetadataProber::Options probing;
  probing.schedule.refresh = milliseconds(config.catalogue_refresh());
  TopicSelection selection;
  selection.matches = [routes = routes_](std::string_view topic) {
    return routes->Resolve(std::string(topic)) != nullptr;
  };
  selection.wanted = routes_->named_topics();
  // The prober speaks at once and is asked by the shards: all is there before any thread runs.
  auto prober = MetadataProber::Create(kafka_, probing, std::move(selection),
                                       [this](const Metadata& metadata) { OnMetadata(metadata); });
  if (!prober.ok()) return prober.status();
  prober_ = *std::move(prober);
  auto watch = PartitionWatch::Create(
      kafka_, {}, clock_, [this] { return board_->Watched(); },
      [this](const std::vector<PartitionWatch::Seen>& seen) { OnEndsSeen(seen); });
  if (!watch.ok()) return watch.status();
  watch_ = *std::move(watch);
  prober_->Start();
  for (auto& shard : shards_) shard->Start();
  watch_->Start();
  control_->Start();
  audit_->Start();
  hub_->StartBeats();
  return absl::OkStatus();
}

absl::Status IngestApp::StartServers(const v1::IngestConfig& config) {
  PublishService::Options publishing;
  publishing.enabled = config.publish().enabled();
  publishing.max_message_bytes = static_cast<size_t>(config.publish().max_message_bytes());
  publishing.max_ephemeral_bytes = static_cast<size_t>(config.limits().ephemeral_queue_bytes()) -
                                   PublishService::kEphemeralOverhead;
  publishing.max_batch = config.publish().max_batch_messages();
  for (const std::string& topic : {config.control().topic(), config.audit().topic()}) {
    if (!topic.empty()) publishing.reserved_topics.push_back(topic);
  }
  auto grants = PublishGrants::Create(config.publish());
  if (!grants.ok()) return grants.status();
  publishing.grants = *std::move(grants);
  auto access = rpc::Access::Create(DoorsOf(config), clock_);
  if (!access.ok()) return access.status();
  access_ = *std::move(access);
  publish_ = std::make_unique<PublishService>(std::move(publishing), clock_, *hub_, producer_.get(),
                                              access_.get());
  publish_->SetOnRefused([this](const PublishService::Publisher& publisher,
                                const v1::Publication& publication,
                                const v1::PublishResult& refusal) {
    audit_->OnPublishRefused(publisher, publication, refusal);
  });
  access_->SetOnRefused(
      [this](const rpc::Access::Refusal& refusal) { audit_->OnCallRefused(refusal); });
  links_ = std::make_unique<LinkService>(*hub_);

  rpc::ServerOptions serving;
  serving.address = config.listen();
  serving.services = {links_.get(), reads_.get(), publish_.get(), control_->service(),
                      audit_->service()};
  serving.max_message_bytes = rpc::kMaxTierMessageBytes;
  if (config.has_tls()) {
    serving.clock = &clock_;
    serving.tls = {config.tls().cert_file(), config.tls().key_file(), config.tls().ca_file()};
  }
  serving.access = access_;
  auto server = rpc::Server::Start(serving);
  if (!server.ok()) return At("ingest.listen", server.status());
  server_ = *std::move(server);
  if (config.publish().enabled() && config.publish().http()) {
    gateway_ = std::make_unique<gateway::Gateway>(
        gateway::Gateway::Options{.title = "Spillway ingest",
                                  .version = app::kVersion,
                                  .services = {"spillway.v1.PublishService"},
                                  .access = access_});
    gateway_->Open(server_->InProcess());
  }

  if (!config.ops_listen().empty()) {
    const auto listen = app::ListenAddressAt("ingest.ops_listen", config.ops_listen());
    if (!listen.ok()) return listen.status();
    http::HttpServerOptions options;
    options.host = listen->ip;
    options.port = listen->port;
    // A payload may be base64 in JSON, or escaped.
    options.max_body_bytes = std::max(
        options.max_body_bytes, static_cast<size_t>(config.publish().max_message_bytes()) * 2);
    http::Routes routes;
    http::AddOpsRoutes(&routes, clock_, *readiness_, registry_,
                       {{"version", app::kVersion}, {"node", node_id_}});
    if (gateway_ != nullptr) gateway_->AddTo(&routes);
    auto ops = http::HttpServer::Start(options, std::move(routes));
    if (!ops.ok()) return At("ingest.ops_listen", ops.status());
    ops_ = *std::move(ops);
    hub_->SetOpsAddress(app::HostPort(app::HostName(), ops_->port()));
  }
  return absl::OkStatus();
}

void IngestApp::OnMetadata(const Metadata& metadata) {
  kafka_up_.Set(metadata.up ? 1 : 0);
  board_->SetKafkaUp(metadata.up);
  readiness_->Set(
      "kafka", metadata.up ? "connected" : "disconnected",
      metadata.up ? lifecycle::Readiness::Level::kOk : lifecycle::Readiness::Level::kFailed,
      metadata.reason);
  CatalogueKeeper::Change change = catalogue_->Update(metadata, clock_.Now(), clock_.WallNow());

  // The shards know a slot before any edge can ask for it.
  std::vector<std::vector<ShardSlot>> added(shards_.size());
  for (ShardSlot& slot : change.added) added[ShardOf(slot.info.id)].push_back(std::move(slot));
  for (size_t i = 0; i < shards_.size(); ++i) {
    Shard* const shard = shards_[i].get();
    if (!added[i].empty()) {
      shard->Post([shard, slots = std::move(added[i])](ShardCore&, MonoTime) {
        for (const ShardSlot& slot : slots) shard->AddSlot(slot);
      });
    }
    shard->Post([up = metadata.up](ShardCore& core, MonoTime now) { core.SetKafkaUp(up, now); });
  }
  for (const auto& [slot, compaction] : change.compaction) {
    shards_[ShardOf(slot)]->Post([slot = slot, to = compaction](ShardCore& core, MonoTime) {
      core.SetCompaction(slot, to);
    });
  }
  for (SlotId slot : change.removed) {
    Shard* const shard = shards_[ShardOf(slot)].get();
    shard->Post(
        [shard, slot](ShardCore&, MonoTime) { shard->RemoveSlot(slot, "the topic is gone"); });
  }
  for (const CatalogueKeeper::Undecided& slot : change.undecided) FindAge(slot);

  std::vector<std::string> problems;
  for (const v1::TopicProblem& problem : change.catalogue.problems()) {
    problems.push_back(absl::StrCat(problem.topic(), " (", problem.code(), ")"));
  }
  const std::string joined = absl::StrJoin(problems, ", ");
  if (!change.catalogue.complete()) {
    readiness_->Set("catalogue", "incomplete", lifecycle::Readiness::Level::kFailed);
  } else if (joined.empty()) {
    readiness_->Set("catalogue", "complete", lifecycle::Readiness::Level::kOk);
  } else {
    readiness_->Set("catalogue", "problems", lifecycle::Readiness::Level::kDegraded, joined);
  }
  if (metadata.policies_problem != last_policies_problem_) {
    last_policies_problem_ = metadata.policies_problem;
    if (!metadata.policies_problem.empty()) {
      log::Warn(
          "Kafka does not say of some topics whether they are compacted; they are taken not to be, "
          "unless "
          "routes[].compacted says so",
          {{"error", metadata.policies_problem}});
    }
  }
  if (joined != last_problems_) {
    last_problems_ = joined;
    if (joined.empty()) {
      log::Info("all wanted topics can be read");
    } else {
      log::Warn("some wanted topics cannot be read; the others flow, these are tried again",
                {{"topics", joined}});
    }
  }
  if (change.changed) hub_->SetCatalogue(std::move(change.catalogue));
  hub_->SetKafka(metadata.up, metadata.reason);
}

void IngestApp::Readers(size_t shard, std::vector<ReaderReport> readers) {
  for (const ReaderReport& reader : readers) {
    if (lag_commits_ == nullptr || reader.status.head < 0) continue;
    lag_commits_->Processed(reader.topic, reader.partition, reader.status.head + 1);
  }
  board_->Report(shard, std::move(readers));
}

void IngestApp::OnEndsSeen(const std::vector<PartitionWatch::Seen>& seen) {
  std::vector<std::vector<PartitionWatch::Seen>> of_shard(shards_.size());
  for (const PartitionWatch::Seen& one : seen) {
    of_shard[ShardOf(static_cast<SlotId>(one.id))].push_back(one);
  }
  for (size_t i = 0; i < shards_.size(); ++i) {
    if (of_shard[i].empty()) continue;
    shards_[i]->Post([seen = std::move(of_shard[i])](ShardCore& core, MonoTime now) {
      for (const PartitionWatch::Seen& one : seen) {
        const auto slot = static_cast<SlotId>(one.id);
        if (one.away.has_value()) {
          core.OnLeaderAway(slot, one.away->since, one.away->lately);
        } else {
          core.OnEndSeen(slot, one.end, now);
        }
      }
    });
  }
}

void IngestApp::Stop(milliseconds grace) {
  if (std::exchange(stopped_, true)) return;
  if (readiness_ != nullptr) readiness_->Drain();
  if (server_ != nullptr) server_->SetServing(false);
  if (hub_ != nullptr) hub_->Stop();  // links end: edges attach elsewhere
  if (gateway_ != nullptr) gateway_->Shutdown();
  if (server_ != nullptr) server_->Shutdown(grace / 2);  // publishes under way are answered
  // The prober's callbacks post to the shards, and the shards ask it until they end: its thread
  // first, itself after them.
  if (watch_ != nullptr) watch_->Stop();
  if (control_ != nullptr) control_->Stop();
  if (audit_ != nullptr) audit_->Stop(std::min(grace / 4, kAuditGrace));
  if (prober_ != nullptr) prober_->Stop();
  for (auto& shard : shards_) shard->Stop();
  prober_.reset();
  if (ops_ != nullptr) ops_->Stop(milliseconds(500));
  metrics_handles_.clear();
}

}  // namespace spillway::ingest
