#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/base/clock.h"
#include "common/config/loader.h"
#include "common/gateway/gateway.h"
#include "common/http/http_server.h"
#include "common/lifecycle/readiness.h"
#include "common/metrics/metrics.h"
#include "common/rpc/server.h"
#include "services/ingest/app/catalogue_keeper.h"
#include "services/ingest/app/ingest_audit.h"
#include "services/ingest/app/ingest_control.h"
#include "services/ingest/app/metric_families.h"
#include "services/ingest/app/reader_board.h"
#include "services/ingest/control/publish_service.h"
#include "services/ingest/control/read_service.h"
#include "services/ingest/kafka/embedded_broker.h"
#include "services/ingest/kafka/lag_commits.h"
#include "services/ingest/kafka/metadata_prober.h"
#include "services/ingest/kafka/partition_watch.h"
#include "services/ingest/kafka/producer.h"
#include "services/ingest/link/link_hub.h"
#include "services/ingest/link/link_service.h"
#include "services/ingest/shard/shard.h"

namespace spillway::ingest {

// The composition root: makes everything an ingest is made of, in the order in which it depends on
// each other, and takes it down in the opposite one. Start and Stop are for main's thread.
class IngestApp final : public ShardSet, public ShardServices {
 public:
  explicit IngestApp(const Clock& clock);
  ~IngestApp() override;

  // InvalidArgument for what is wrong with the configuration, Unavailable for what cannot be had
  // (an address in use). Kafka being away is no error: the ingest starts, is not ready, and goes on
  // trying.
  absl::Status Start(const config::Loaded& loaded);
  void Stop(std::chrono::milliseconds grace);

  const std::string& node_id() const { return node_id_; }
  int grpc_port() const { return server_ == nullptr ? 0 : server_->port(); }
  int ops_port() const { return ops_ == nullptr ? 0 : ops_->port(); }
  const std::string& bootstrap() const { return kafka_.brokers; }
  EmbeddedBroker* embedded_broker() { return broker_.get(); }

 private:
  // ShardSet
  size_t size() const override { return shards_.size(); }
  size_t ShardOf(SlotId slot) const override { return slot % shards_.size(); }
  void Post(size_t shard, std::function<void(ShardCore&, MonoTime)> task) override {
    shards_[shard]->Post(std::move(task));
  }
  // ShardServices
  void Resolve(size_t shard, SlotId slot, const std::string& topic, int32_t partition) override;
  void ResolveTime(size_t shard, SlotId slot, const std::string& topic, int32_t partition,
                   int64_t unix_ms, int64_t from, uint64_t scan) override;
  void Readers(size_t shard, std::vector<ReaderReport> readers) override;

  absl::Status StartKafka(const v1::IngestConfig& config);
  absl::Status StartShards(const v1::IngestConfig& config);
  absl::Status StartServers(const v1::IngestConfig& config);
  // The prober's thread.
  void OnMetadata(const Metadata& metadata);
  // The watch's thread.
  void OnEndsSeen(const std::vector<PartitionWatch::Seen>& seen);
  void FindAge(const CatalogueKeeper::Undecided& slot);
  void AddMetrics();

  const Clock& clock_;
  std::string node_id_;
  KafkaSettings kafka_;
  const IngestFamilies families_;
  metrics::Registry registry_{families_.all};
  std::unique_ptr<lifecycle::Readiness> readiness_;
  std::unique_ptr<ReaderBoard> board_;
  std::shared_ptr<const RouteTable> routes_;
  std::unique_ptr<EmbeddedBroker> broker_;    // first: everyone below is its client
  std::unique_ptr<PartitionConsumer> live_;   // one rd_kafka_t reads a partition once,
  std::unique_ptr<PartitionConsumer> scans_;  // so scans have another
  std::unique_ptr<LinkHub> hub_;              // told by control_ until the producer ends
  std::unique_ptr<IngestControl> control_;    // called by the producer until it ends
  std::unique_ptr<IngestAudit> audit_;        // the same
  std::unique_ptr<Producer> producer_;        // for publishing, rejected and control records
  std::unique_ptr<DeadLetter> dead_letter_;
  std::unique_ptr<LagCommits> lag_commits_;
  std::unique_ptr<CatalogueKeeper> catalogue_;  // the prober's thread uses it
  std::vector<std::unique_ptr<Shard>> shards_;
  std::unique_ptr<MetadataProber> prober_;  // answers the shards: ends before them
  std::unique_ptr<PartitionWatch> watch_;   // tells the shards: ends before them
  std::unique_ptr<ReadService> reads_;
  std::shared_ptr<rpc::Access> access_;
  std::unique_ptr<PublishService> publish_;
  std::unique_ptr<LinkService> links_;
  std::unique_ptr<rpc::Server> server_;
  std::unique_ptr<gateway::Gateway> gateway_;  // calls the server
  std::unique_ptr<http::HttpServer> ops_;
  std::vector<metrics::Handle> metrics_handles_;
  std::string last_problems_;  // the prober's thread
  std::string last_policies_problem_;
  metrics::Gauge kafka_up_;
  bool stopped_ = false;
};

}  // namespace spillway::ingest
