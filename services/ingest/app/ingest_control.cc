#include "services/ingest/app/ingest_control.h"

#include <utility>

namespace spillway::ingest {

// Not ready would take an ingest away from its edges whose records flow: degraded is enough.
class IngestControl::Watched final : public CompactedTopic::Sink {
 public:
  Watched(ControlStore& store, lifecycle::Readiness& readiness)
      : store_(store), readiness_(readiness) {
    readiness_.Set("control", "reading", lifecycle::Readiness::Level::kDegraded,
                   "the control topic is being read");
  }

  void OnRecord(const RecordView& record) override { store_.OnRecord(record); }
  void OnWhole() override {
    store_.OnWhole();
    readiness_.Set("control", "read", lifecycle::Readiness::Level::kOk);
  }
  void OnProblem(const std::string& problem) override {
    store_.OnProblem(problem);
    readiness_.Set("control", "unreadable", lifecycle::Readiness::Level::kDegraded, problem);
  }
  void OnTurn() override { store_.OnTurn(); }

 private:
  ControlStore& store_;
  lifecycle::Readiness& readiness_;
};

IngestControl::IngestControl(const v1::ControlTopicConfig& config) : config_(config) {}

IngestControl::~IngestControl() = default;

absl::Status IngestControl::Create(const KafkaSettings& kafka, const std::string& node_id,
                                   const Clock& clock, Producer* producer, LinkHub& hub,
                                   lifecycle::Readiness& readiness) {
  if (enabled()) {
    ControlStore::Options options;
    options.topic = config_.topic();
    options.node_id = node_id;
    options.max_entries = static_cast<size_t>(config_.max_entries());
    store_ = std::make_unique<ControlStore>(
        options, clock,
        [producer](const ProduceRequest& request, Producer::Callback done) {
          return producer->Produce(request, std::move(done));
        },
        [&hub](const v1::Control& control) { hub.TellControl(control); });
    watched_ = std::make_unique<Watched>(*store_, readiness);
    CompactedTopic::Options reading;
    reading.topic = config_.topic();
    reading.create = config_.create();
    reading.replication = config_.replication();
    auto topic = CompactedTopic::Create(kafka, reading, *watched_);
    if (!topic.ok()) return topic.status();
    topic_ = *std::move(topic);
    hub.SetControlState([store = store_.get()] { return store->Whole(); });
  }
  service_ = std::make_unique<ControlService>(store_.get());
  return absl::OkStatus();
}

void IngestControl::Start() {
  if (topic_ != nullptr) topic_->Start();
}

void IngestControl::Stop() {
  if (topic_ != nullptr) topic_->Stop();
}

void IngestControl::AddMetrics(metrics::Registry& registry, const IngestFamilies& families,
                               std::vector<metrics::Handle>* handles) {
  handles->push_back(registry.AddCollector([this, &families](metrics::Sink& sink) {
    static const ControlStore::Counters kNone;
    const ControlStore::Status status =
        store_ == nullptr ? ControlStore::Status() : store_->status();
    const ControlStore::Counters& counted = store_ == nullptr ? kNone : store_->counters();
    sink.Add(families.control_whole, {}, status.whole ? 1 : 0);
    sink.Add(families.control_entries, {}, static_cast<double>(status.entries));
    const auto count = [&](const metrics::Family& family, const metrics::AtomicCounter& value) {
      sink.Add(family, {}, static_cast<double>(value.Value()));
    };
    count(families.control_records, counted.records);
    count(families.control_bad, counted.bad);
    count(families.control_dropped, counted.dropped);
    count(families.control_cleared, counted.cleared);
    sink.Add(families.control_writes, {{"outcome", "written"}},
             static_cast<double>(counted.written.Value()));
    sink.Add(families.control_writes, {{"outcome", "failed"}},
             static_cast<double>(counted.failed.Value()));
  }));
}

}  // namespace spillway::ingest
