#pragma once

#include <vector>

#include "common/metrics/metrics.h"
#include "services/edge/app/edge_audit.h"
#include "services/edge/app/edge_cluster.h"
#include "services/edge/app/edge_publishing.h"
#include "services/edge/app/edge_workers.h"
#include "services/edge/app/metric_families.h"
#include "services/edge/app/public_tls.h"
#include "services/edge/app/token_keys.h"
#include "services/edge/auth/auth_checks.h"
#include "services/edge/net/io_pool.h"
#include "services/edge/session/connection_limits.h"
#include "services/edge/upstream/link_runtime.h"

namespace spillway::edge {

// The edge's metrics (docs/metrics.md): sums over the workers, taken when scraped. Owned by
// EdgeApp; ends before what it reads.
class EdgeMetrics {
 public:
  EdgeMetrics(metrics::Registry& registry, const EdgeFamilies& families, net::IoPool& pool,
              const EdgeWorkers& workers, const ConnectionGate& gate, const LinkRuntime& runtime,
              const VariantTable& variants);

  // What is bounded by user and address; `limits` outlives this.
  void AddLimits(ConnectionLimits& limits);
  // `limit` outlives this.
  void AddPatterns(const PatternLimit& limit);
  // The public listener's, when it has TLS.
  void AddTls(PublicTls& tls);
  void AddKeys(const TokenKeys& keys);
  // `checks` outlives this.
  void AddAuthChecks(const AuthChecks& checks);
  // `log` outlives this.
  void AddAudit(const audit::AuditLog& log) {
    AddAuditMetrics(log, families_, registry_, &handles_);
  }
  void AddCluster(EdgeCluster& cluster) { cluster.AddMetrics(registry_, families_, &handles_); }
  // `publishing` outlives this.
  void AddPublishing(EdgePublishing& publishing) {
    publishing.AddMetrics(registry_, families_, &handles_);
  }

 private:
  template <typename Counters, typename Of, typename T>
  void Add(const metrics::Family& family, Of of, T Counters::*member, metrics::Labels labels = {});
  void AddSockets(net::IoPool& pool, const ConnectionGate& gate);
  void AddBacklogs(net::IoPool& pool);
  void AddSessions(const EdgeWorkers& workers);
  void AddPublishes(const EdgeWorkers& workers);
  void AddHubs(const EdgeWorkers& workers);
  void AddLanes(const EdgeWorkers& workers);
  void AddUpstream(const LinkRuntime& runtime);
  void AddCompression(const VariantTable& variants);

  metrics::Registry& registry_;
  const EdgeFamilies& families_;
  size_t workers_ = 0;
  std::vector<metrics::Handle> handles_;
};

}  // namespace spillway::edge
