#include "common/metrics/metrics.h"

#include <prometheus/collectable.h>
#include <prometheus/metric_type.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "common/base/mutex.h"
#include "common/log/log.h"
#include "common/metrics/family_set.h"

namespace spillway::metrics {
namespace internal {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

class RegistryImpl final : public prometheus::Collectable,
                           public std::enable_shared_from_this<RegistryImpl> {
 public:
  // Reads one series.
  using Read = std::function<ClientMetric()>;

  Handle Add(std::string name, std::string help, Labels labels, MetricType type, Read read)
      SPILLWAY_EXCLUDES(mutex_);
  Handle AddCollector(std::function<void(Sink&)> collect) SPILLWAY_EXCLUDES(mutex_);
  Handle Refuse(std::string why) SPILLWAY_EXCLUDES(mutex_);
  void Remove(uint64_t id) SPILLWAY_EXCLUDES(mutex_);
  void SetAliases(std::map<std::string, std::vector<Alias>> aliases) SPILLWAY_EXCLUDES(mutex_);
  absl::Status status() const SPILLWAY_EXCLUDES(mutex_);
  std::vector<MetricFamily> Collect() const override SPILLWAY_EXCLUDES(mutex_);

 private:
  struct Series {
    std::string name;
    std::string help;
    Labels labels;
    MetricType type;
    Read read;
  };
  struct Family {
    MetricType type;
    size_t series = 0;
  };
  class FamilySink;

  Handle RefuseLocked(std::string why) SPILLWAY_REQUIRES(mutex_);

  mutable Mutex mutex_;  // held through a scrape: an ended registration is not called again
  uint64_t last_id_ SPILLWAY_GUARDED_BY(mutex_) = 0;
  std::map<uint64_t, Series> series_ SPILLWAY_GUARDED_BY(mutex_);
  std::map<uint64_t, std::function<void(Sink&)>> collectors_ SPILLWAY_GUARDED_BY(mutex_);
  std::map<std::string, Family> families_ SPILLWAY_GUARDED_BY(mutex_);
  std::set<std::string> keys_ SPILLWAY_GUARDED_BY(mutex_);
  std::map<std::string, std::vector<Alias>> aliases_ SPILLWAY_GUARDED_BY(mutex_);
  absl::Status status_ SPILLWAY_GUARDED_BY(mutex_);
  // Series of collectors that were left out.
  mutable uint64_t rejected_ SPILLWAY_GUARDED_BY(mutex_) = 0;
};

// Puts a collector's values into the scrape.
class RegistryImpl::FamilySink final : public Sink {
 public:
  explicit FamilySink(FamilySet* families) : families_(families) {}

  void Counter(std::string_view name, std::string_view help, Labels labels, double value) override {
    ClientMetric metric;
    metric.counter.value = value;
    Add(name, help, MetricType::Counter, labels, std::move(metric));
  }
  void Gauge(std::string_view name, std::string_view help, Labels labels, double value) override {
    ClientMetric metric;
    metric.gauge.value = value;
    Add(name, help, MetricType::Gauge, labels, std::move(metric));
  }
  uint64_t rejected() const { return rejected_; }
  const std::string& last_rejected() const { return last_rejected_; }

 private:
  void Add(std::string_view name, std::string_view help, MetricType type, const Labels& labels,
           ClientMetric metric) {
    if (!ValidName(name) || !LabelsError(labels, false).empty() ||
        !families_->Add(name, help, type, labels, std::move(metric))) {
      ++rejected_;
      last_rejected_ = std::string(name);
    }
  }

  FamilySet* families_;
  uint64_t rejected_ = 0;
  std::string last_rejected_;
};

Handle RegistryImpl::Add(std::string name, std::string help, Labels labels, MetricType type,
                         Read read) {
  MutexLock lock(mutex_);
  if (!ValidName(name)) return RefuseLocked(absl::StrCat("invalid metric name '", name, "'"));
  const std::string error = LabelsError(labels, type == MetricType::Histogram);
  if (!error.empty()) return RefuseLocked(absl::StrCat("metric '", name, "': ", error));
  const auto family = families_.find(name);
  if (family != families_.end() && family->second.type != type) {
    return RefuseLocked(absl::StrCat("metric '", name, "' is registered with two types"));
  }
  if (!keys_.insert(SeriesKey(name, labels)).second) {
    return RefuseLocked(absl::StrCat("metric '", name, "' is registered twice with these labels"));
  }
  families_.try_emplace(name, Family{type}).first->second.series++;
  const uint64_t id = ++last_id_;
  series_.emplace(
      id, Series{std::move(name), std::move(help), std::move(labels), type, std::move(read)});
  return Handle(weak_from_this(), id);
}

Handle RegistryImpl::AddCollector(std::function<void(Sink&)> collect) {
  MutexLock lock(mutex_);
  const uint64_t id = ++last_id_;
  collectors_.emplace(id, std::move(collect));
  return Handle(weak_from_this(), id);
}

Handle RegistryImpl::Refuse(std::string why) {
  MutexLock lock(mutex_);
  return RefuseLocked(std::move(why));
}

Handle RegistryImpl::RefuseLocked(std::string why) {
  log::Error("metric refused", {{"reason", why}});
  if (status_.ok()) status_ = absl::AlreadyExistsError(why);
  return Handle();
}

void RegistryImpl::Remove(uint64_t id) {
  MutexLock lock(mutex_);
  collectors_.erase(id);
  const auto it = series_.find(id);
  if (it == series_.end()) return;
  keys_.erase(SeriesKey(it->second.name, it->second.labels));
  const auto family = families_.find(it->second.name);
  if (--family->second.series == 0) families_.erase(family);
  series_.erase(it);
}

void RegistryImpl::SetAliases(std::map<std::string, std::vector<Alias>> aliases) {
  MutexLock lock(mutex_);
  aliases_ = std::move(aliases);
}

absl::Status RegistryImpl::status() const {
  MutexLock lock(mutex_);
  return status_;
}

std::vector<MetricFamily> RegistryImpl::Collect() const {
  MutexLock lock(mutex_);
  FamilySet families;
  for (const auto& [id, series] : series_) {
    families.Add(series.name, series.help, series.type, series.labels, series.read());
  }
  FamilySink sink(&families);
  for (const auto& [id, collect] : collectors_) collect(sink);
  if (rejected_ == 0 && sink.rejected() > 0) {
    log::Warn("metric of a collector left out", {{"metric", sink.last_rejected()}});
  }
  rejected_ += sink.rejected();
  sink.Counter("spillway_metrics_rejected_total",
               "Series left out of scrapes: a bad name, a type conflict or a duplicate.", {},
               static_cast<double>(rejected_));
  for (const auto& [name, aliases] : aliases_) {
    for (const Alias& alias : aliases) families.AddAlias(name, alias);
  }
  return std::move(families).Take();
}

}  // namespace internal

namespace {

using prometheus::ClientMetric;
using prometheus::MetricType;

ClientMetric CounterMetric(double value) {
  ClientMetric metric;
  metric.counter.value = value;
  return metric;
}

ClientMetric GaugeMetric(double value) {
  ClientMetric metric;
  metric.gauge.value = value;
  return metric;
}

ClientMetric HistogramMetric(const std::vector<const Histogram*>& histograms) {
  ClientMetric metric;
  auto& out = metric.histogram;
  const std::vector<double>& bounds = histograms.front()->bounds();
  uint64_t cumulative = 0;
  for (size_t i = 0; i <= bounds.size(); ++i) {
    for (const Histogram* histogram : histograms) cumulative += histogram->bucket(i);
    const double bound = i < bounds.size() ? bounds[i] : std::numeric_limits<double>::infinity();
    out.bucket.push_back({cumulative, bound});
  }
  // Taken from the buckets, so that count and +Inf agree although nothing stops the writers.
  out.sample_count = cumulative;
  for (const Histogram* histogram : histograms) out.sample_sum += histogram->sum();
  return metric;
}

bool ValidBounds(const std::vector<double>& bounds) {
  return std::all_of(bounds.begin(), bounds.end(), [](double b) { return std::isfinite(b); }) &&
         std::adjacent_find(bounds.begin(), bounds.end(), std::greater_equal<>()) == bounds.end();
}

}  // namespace

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)), buckets_(new Counter[bounds_.size() + 1]) {}

std::vector<double> LatencyBounds() {
  return {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
}

Handle::Handle(Handle&& other) noexcept
    : registry_(std::move(other.registry_)), id_(std::exchange(other.id_, 0)) {}

Handle& Handle::operator=(Handle&& other) noexcept {
  if (this != &other) {
    Reset();
    registry_ = std::move(other.registry_);
    id_ = std::exchange(other.id_, 0);
  }
  return *this;
}

Handle::~Handle() { Reset(); }

void Handle::Reset() {
  if (id_ == 0) return;
  if (const auto registry = registry_.lock()) registry->Remove(id_);
  registry_.reset();
  id_ = 0;
}

Registry::Registry() : impl_(std::make_shared<internal::RegistryImpl>()) {}
Registry::~Registry() = default;

Handle Registry::AddCounter(std::string name, std::string help, Labels labels, Value value) {
  return impl_->Add(std::move(name), std::move(help), std::move(labels), MetricType::Counter,
                    [value = std::move(value)] { return CounterMetric(value()); });
}

Handle Registry::AddGauge(std::string name, std::string help, Labels labels, Value value) {
  return impl_->Add(std::move(name), std::move(help), std::move(labels), MetricType::Gauge,
                    [value = std::move(value)] { return GaugeMetric(value()); });
}

Handle Registry::AddCounter(std::string name, std::string help, Labels labels,
                            const Counter* counter) {
  return AddCounter(std::move(name), std::move(help), std::move(labels),
                    [counter] { return static_cast<double>(counter->Value()); });
}

Handle Registry::AddCounter(std::string name, std::string help, Labels labels,
                            const AtomicCounter* counter) {
  return AddCounter(std::move(name), std::move(help), std::move(labels),
                    [counter] { return static_cast<double>(counter->Value()); });
}

Handle Registry::AddGauge(std::string name, std::string help, Labels labels, const Gauge* gauge) {
  return AddGauge(std::move(name), std::move(help), std::move(labels),
                  [gauge] { return static_cast<double>(gauge->Value()); });
}

Handle Registry::AddHistogram(std::string name, std::string help, Labels labels,
                              const Histogram* histogram) {
  return AddHistogram(std::move(name), std::move(help), std::move(labels),
                      std::vector<const Histogram*>{histogram});
}

Handle Registry::AddHistogram(std::string name, std::string help, Labels labels,
                              std::vector<const Histogram*> histograms) {
  if (histograms.empty() || !ValidBounds(histograms.front()->bounds())) {
    return impl_->Refuse(absl::StrCat("histogram '", name, "' needs ascending, finite bounds"));
  }
  for (const Histogram* histogram : histograms) {
    if (histogram->bounds() != histograms.front()->bounds()) {
      return impl_->Refuse(absl::StrCat("histogram '", name, "' is the sum of unequal bounds"));
    }
  }
  return impl_->Add(std::move(name), std::move(help), std::move(labels), MetricType::Histogram,
                    [histograms = std::move(histograms)] { return HistogramMetric(histograms); });
}

Handle Registry::AddCollector(std::function<void(Sink&)> collect) {
  return impl_->AddCollector(std::move(collect));
}

absl::Status Registry::SetAliases(std::map<std::string, std::vector<Alias>> aliases) {
  std::set<std::string_view> names;
  for (const auto& [name, list] : aliases) {
    for (const Alias& alias : list) {
      if (!internal::ValidName(alias.name)) {
        return absl::InvalidArgumentError(
            absl::StrCat("metric alias '", alias.name, "' of '", name,
                         "' is not a valid name; use [a-zA-Z_:][a-zA-Z0-9_:]*"));
      }
      if (aliases.contains(alias.name) || !names.insert(alias.name).second) {
        return absl::InvalidArgumentError(
            absl::StrCat("metric alias '", alias.name,
                         "' is given twice or is itself aliased; each needs a name of its own"));
      }
    }
  }
  impl_->SetAliases(std::move(aliases));
  return absl::OkStatus();
}

absl::Status Registry::status() const { return impl_->status(); }

std::string Registry::Scrape() const {
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, impl_->Collect());
  return std::move(text).str();
}

}  // namespace spillway::metrics
