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

class RegistryImpl final : public prometheus::Collectable,
                           public std::enable_shared_from_this<RegistryImpl> {
 public:
  // Reads one series.
  using Read = std::function<ClientMetric()>;

  explicit RegistryImpl(const Families& families) : families_(families) {}

  const Families& families() const { return families_; }
  Handle Add(const Family& family, Labels labels, Read read) SPILLWAY_EXCLUDES(mutex_);
  Handle AddCollector(std::function<void(Sink&)> collect) SPILLWAY_EXCLUDES(mutex_);
  Handle Refuse(std::string why) SPILLWAY_EXCLUDES(mutex_);
  void Remove(uint64_t id) SPILLWAY_EXCLUDES(mutex_);
  void SetAliases(std::map<std::string, std::vector<Alias>> aliases) SPILLWAY_EXCLUDES(mutex_);
  absl::Status status() const SPILLWAY_EXCLUDES(mutex_);
  std::vector<MetricFamily> Collect() const override SPILLWAY_EXCLUDES(mutex_);

 private:
  struct Series {
    const Family* family;
    Labels labels;
    Read read;
  };
  class FamilySink;

  Handle RefuseLocked(std::string why) SPILLWAY_REQUIRES(mutex_);

  const Families& families_;
  mutable Mutex mutex_;  // held through a scrape: an ended registration is not called again
  uint64_t last_id_ SPILLWAY_GUARDED_BY(mutex_) = 0;
  std::map<uint64_t, Series> series_ SPILLWAY_GUARDED_BY(mutex_);
  std::map<uint64_t, std::function<void(Sink&)>> collectors_ SPILLWAY_GUARDED_BY(mutex_);
  std::set<std::string> keys_ SPILLWAY_GUARDED_BY(mutex_);
  std::map<std::string, std::vector<Alias>> aliases_ SPILLWAY_GUARDED_BY(mutex_);
  absl::Status status_ SPILLWAY_GUARDED_BY(mutex_);
  // Series of collectors that were left out.
  mutable uint64_t rejected_ SPILLWAY_GUARDED_BY(mutex_) = 0;
};

// Puts a collector's values into the scrape.
class RegistryImpl::FamilySink final : public Sink {
 public:
  FamilySink(const Families& families, FamilySet* set) : families_(families), set_(set) {}

  void Add(const Family& family, Labels labels, double value) override {
    if (!Problem(families_, family, labels).empty() || family.type() == Family::Type::kHistogram ||
        !set_->Add(family, labels, ValueMetric(family, value))) {
      ++rejected_;
      last_rejected_ = family.name();
    }
  }
  uint64_t rejected() const { return rejected_; }
  const std::string& last_rejected() const { return last_rejected_; }

 private:
  const Families& families_;
  FamilySet* set_;
  uint64_t rejected_ = 0;
  std::string last_rejected_;
};

Handle RegistryImpl::Add(const Family& family, Labels labels, Read read) {
  MutexLock lock(mutex_);
  const std::string problem = Problem(families_, family, labels);
  if (!problem.empty()) return RefuseLocked(problem);
  if (!keys_.insert(SeriesKey(family.name(), labels)).second) {
    return RefuseLocked(
        absl::StrCat("metric '", family.name(), "' is registered twice with these labels"));
  }
  const uint64_t id = ++last_id_;
  series_.emplace(id, Series{&family, std::move(labels), std::move(read)});
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
  keys_.erase(SeriesKey(it->second.family->name(), it->second.labels));
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
  FamilySet set;
  for (const auto& [id, series] : series_) set.Add(*series.family, series.labels, series.read());
  FamilySink sink(families_, &set);
  for (const auto& [id, collect] : collectors_) collect(sink);
  if (rejected_ == 0 && sink.rejected() > 0) {
    log::Warn("metric of a collector left out", {{"metric", sink.last_rejected()}});
  }
  rejected_ += sink.rejected();
  sink.Add(families_.rejected(), {}, static_cast<double>(rejected_));
  for (const auto& [name, aliases] : aliases_) {
    for (const Alias& alias : aliases) set.AddAlias(name, alias);
  }
  return std::move(set).Take();
}

}  // namespace internal

namespace {

using prometheus::ClientMetric;

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

std::string WrongType(const Family& family) {
  return absl::StrCat("metric '", family.name(), "' is of another type");
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

Registry::Registry(const Families& families)
    : impl_(std::make_shared<internal::RegistryImpl>(families)) {}
Registry::~Registry() = default;

Handle Registry::Add(const Family& family, Labels labels, Value value) {
  if (family.type() == Family::Type::kHistogram) return impl_->Refuse(WrongType(family));
  return impl_->Add(family, std::move(labels), [&family, value = std::move(value)] {
    return internal::ValueMetric(family, value());
  });
}

Handle Registry::Add(const Family& family, Labels labels, const Counter* counter) {
  if (family.type() != Family::Type::kCounter) return impl_->Refuse(WrongType(family));
  return Add(family, std::move(labels),
             [counter] { return static_cast<double>(counter->Value()); });
}

Handle Registry::Add(const Family& family, Labels labels, const AtomicCounter* counter) {
  if (family.type() != Family::Type::kCounter) return impl_->Refuse(WrongType(family));
  return Add(family, std::move(labels),
             [counter] { return static_cast<double>(counter->Value()); });
}

Handle Registry::Add(const Family& family, Labels labels, const Gauge* gauge) {
  if (family.type() != Family::Type::kGauge) return impl_->Refuse(WrongType(family));
  return Add(family, std::move(labels), [gauge] { return static_cast<double>(gauge->Value()); });
}

Handle Registry::Add(const Family& family, Labels labels, const Histogram* histogram) {
  return Add(family, std::move(labels), std::vector<const Histogram*>{histogram});
}

Handle Registry::Add(const Family& family, Labels labels,
                     std::vector<const Histogram*> histograms) {
  if (family.type() != Family::Type::kHistogram) return impl_->Refuse(WrongType(family));
  const std::string& name = family.name();
  if (histograms.empty() || !ValidBounds(histograms.front()->bounds())) {
    return impl_->Refuse(absl::StrCat("histogram '", name, "' needs ascending, finite bounds"));
  }
  for (const Histogram* histogram : histograms) {
    if (histogram->bounds() != histograms.front()->bounds()) {
      return impl_->Refuse(absl::StrCat("histogram '", name, "' is the sum of unequal bounds"));
    }
  }
  return impl_->Add(family, std::move(labels),
                    [histograms = std::move(histograms)] { return HistogramMetric(histograms); });
}

Handle Registry::AddCollector(std::function<void(Sink&)> collect) {
  return impl_->AddCollector(std::move(collect));
}

absl::Status Registry::SetAliases(std::map<std::string, std::vector<Alias>> aliases) {
  std::set<std::string_view> names;
  for (const auto& [name, list] : aliases) {
    if (impl_->families().Find(name) == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat("there is no metric '", name, "'"));
    }
    for (const Alias& alias : list) {
      if (!ValidName(alias.name)) {
        return absl::InvalidArgumentError(
            absl::StrCat("metric alias '", alias.name, "' of '", name,
                         "' is not a valid name; use [a-zA-Z_:][a-zA-Z0-9_:]*"));
      }
      if (impl_->families().Find(alias.name) != nullptr || !names.insert(alias.name).second) {
        return absl::InvalidArgumentError(
            absl::StrCat("metric alias '", alias.name,
                         "' is given twice or is a metric itself; each needs a name of its own"));
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
