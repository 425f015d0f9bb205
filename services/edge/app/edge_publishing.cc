#include "services/edge/app/edge_publishing.h"

#include <string>
#include <thread>
#include <utility>

namespace spillway::edge {
namespace {

// What is presented to ingests for publishing.
std::shared_ptr<const rpc::PresentedToken> PublishersToken(const EdgeOptions& options,
                                                           const Clock& clock) {
  if (options.publish_token.empty() && options.publish_token_file.empty()) {
    return options.link.token;
  }
  return std::make_shared<rpc::PresentedToken>(options.publish_token, options.publish_token_file,
                                               clock);
}

}  // namespace

EdgePublishing::EdgePublishing(const EdgeOptions& options, const Clock& clock, EdgeWorkers& workers,
                               LinkRuntime& upstream, bool allowed)
    : clock_(clock),
      upstream_(upstream),
      allowed_(allowed),
      token_(PublishersToken(options, clock)),
      tls_(options.link.tls, clock),
      bounds_(options.publishes_in_flight, options.publish_bytes),
      calls_({.token = token_, .max_calls = options.publishes_in_flight, .token_kept_fresh = true},
             [&upstream](const std::string& address) { return upstream.NewChannel(address); }),
      client_(options.publish_client, clock, calls_, [this] { return Ingests(); }) {
  if (!allowed_) return;
  if (token_ != nullptr) (void)token_->Get();
  const std::vector<SessionContext*> contexts = workers.contexts();
  for (size_t i = 0; i < contexts.size(); ++i) {
    const auto post = [&workers, i](std::function<void()> task) {
      workers.Post(i, HubWorkers::Task([task = std::move(task)](HubShard&, MonoTime) { task(); }));
    };
    desks_.push_back(std::make_unique<PublishDesk>(options.publish_desk, client_, bounds_, clock,
                                                   contexts[i]->counters, post));
    contexts[i]->publishes = desks_.back().get();
  }
}

EdgePublishing::~EdgePublishing() { Stop(std::chrono::milliseconds(0)); }

std::vector<std::string> EdgePublishing::Linked() const {
  std::vector<std::string> addresses;
  for (const IngestTargetStatus& ingest : upstream_.status().ingests) {
    if (ingest.up) addresses.push_back(ingest.address);
  }
  return addresses;
}

std::vector<std::string> EdgePublishing::Ingests() {
  std::vector<std::string> linked = Linked();
  std::vector<std::string> connected = calls_.Connected(linked);
  return connected.empty() ? linked : connected;
}

// Files are read here, not on the workers' threads, which make the calls.
void EdgePublishing::Update() {
  if (!allowed_) return;
  if (token_ != nullptr) (void)token_->Get();
  // A channel keeps the certificates that it was made with: new ones need others.
  if (tls_.Changed() && calls_.Renew()) tls_.Took();
  const std::vector<std::string> ingests = Linked();
  calls_.Forget(ingests);
  calls_.Warm(ingests);
}

void EdgePublishing::Stop(std::chrono::milliseconds grace) {
  bounds_.Shut();
  const MonoTime deadline = clock_.Now() + grace;
  while (bounds_.count() > 0 && clock_.Now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  calls_.Stop();
}

void EdgePublishing::AddMetrics(metrics::Registry& registry, const EdgeFamilies& families,
                                std::vector<metrics::Handle>* handles) {
  handles->push_back(registry.Add(families.publishes_in_flight, {},
                                  [this] { return static_cast<double>(bounds_.count()); }));
  handles->push_back(registry.Add(families.publish_bytes, {},
                                  [this] { return static_cast<double>(bounds_.bytes()); }));
}

}  // namespace spillway::edge
