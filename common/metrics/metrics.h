#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/metrics/families.h"

// Metrics are counted where things happen, in plain relaxed atomics, and pulled when scraped.
namespace spillway::metrics {

using Labels = std::vector<std::pair<std::string, std::string>>;

// A count with one writing thread: no lock prefix, so it may stand on the path of a delivery.
// Any thread may read. Owned by the object that counts; must outlive its registration's Handle.
class Counter {
 public:
  void Add(uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  uint64_t Value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// The same for several writing threads.
class AtomicCounter {
 public:
  void Add(uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  uint64_t Value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// A value that goes up and down, set by one thread, read by any.
class Gauge {
 public:
  void Set(int64_t value) { value_.store(value, std::memory_order_relaxed); }
  void Add(int64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  int64_t Value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

// Distribution over fixed upper bounds (ascending, finite; +Inf is implied). Observe is for one
// thread per instance and costs a short search and two relaxed stores; several threads have an
// instance each, which the registry adds up. Any thread may read; a scrape may miss what is being
// observed at that moment.
class Histogram {
 public:
  explicit Histogram(std::vector<double> bounds);

  void Observe(double value, uint64_t times = 1) {
    size_t i = 0;
    while (i < bounds_.size() && value > bounds_[i]) ++i;
    buckets_[i].Add(times);
    sum_.store(sum_.load(std::memory_order_relaxed) + value * static_cast<double>(times),
               std::memory_order_relaxed);
  }

  const std::vector<double>& bounds() const { return bounds_; }
  // Not cumulative; the last one is the +Inf bucket. i <= bounds().size().
  uint64_t bucket(size_t i) const { return buckets_[i].Value(); }
  double sum() const { return sum_.load(std::memory_order_relaxed); }

 private:
  const std::vector<double> bounds_;
  std::unique_ptr<Counter[]> buckets_;
  std::atomic<double> sum_{0};
};

// 1 ms .. 60 s, for durations in seconds.
std::vector<double> LatencyBounds();

// What a collector writes its values into; valid during the call. Families and labels follow
// Registry's rules; what breaks them is left out and counted.
class Sink {
 public:
  virtual ~Sink() = default;
  // Of a counter or a gauge.
  virtual void Add(const Family& family, Labels labels, double value) = 0;
};

// Another name for an existing metric, beside its own.
struct Alias {
  std::string name;
  std::string help;  // the original's when empty
  // When set: the labels that stay; series that then fall together are added up (as "sum by" does).
  // An empty list gives one series without labels.
  std::optional<std::vector<std::string>> sum_by;
};

namespace internal {
class RegistryImpl;
}

// Keeps a registration; its end removes the metric and waits for a scrape that is just calling it.
// Move-only. May outlive the registry. Must not end inside a callback of the same registry.
class [[nodiscard]] Handle {
 public:
  Handle() = default;
  Handle(Handle&& other) noexcept;
  Handle& operator=(Handle&& other) noexcept;
  ~Handle();

  void Reset();
  explicit operator bool() const { return id_ != 0; }

 private:
  friend class internal::RegistryImpl;
  Handle(std::weak_ptr<internal::RegistryImpl> registry, uint64_t id)
      : registry_(std::move(registry)), id_(id) {}

  std::weak_ptr<internal::RegistryImpl> registry_;
  uint64_t id_ = 0;
};

// All metrics of a process, as Prometheus text. Thread-safe. Owned by the composition root.
// Callbacks run on the scraping thread, one scrape at a time: they must be quick, safe against the
// threads that change what they read, and must not call the registry. A family that was not
// declared, other labels than the family's, a second registration with the same labels, or a value
// of another type is a defect of the program: the registration is refused (an empty Handle),
// logged, and remembered in status().
class Registry {
 public:
  using Value = std::function<double()>;

  // `families`: all that may be registered. Outlives this and its handles.
  explicit Registry(const Families& families);
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // Of a counter or a gauge.
  Handle Add(const Family& family, Labels labels, Value value);
  Handle Add(const Family& family, Labels labels, const Counter* counter);
  Handle Add(const Family& family, Labels labels, const AtomicCounter* counter);
  Handle Add(const Family& family, Labels labels, const Gauge* gauge);
  Handle Add(const Family& family, Labels labels, const Histogram* histogram);
  // The sum of several (one a thread); all must have the same bounds.
  Handle Add(const Family& family, Labels labels, std::vector<const Histogram*> histograms);
  // For label sets that change while running.
  Handle AddCollector(std::function<void(Sink&)> collect);

  // Exports families under further names, whether they have series yet or not. Replaces earlier
  // aliases. InvalidArgument names the family that was not declared, or the alias that is not a
  // valid name, is given twice or is a family's name; nothing changes then.
  absl::Status SetAliases(std::map<std::string, std::vector<Alias>> aliases);

  // The first registration that was refused.
  absl::Status status() const;

  // Text format 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/), families by
  // name.
  std::string Scrape() const;
  static constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

 private:
  std::shared_ptr<internal::RegistryImpl> impl_;
};

// What every process has.
struct ProcessFamilies {
  // Declares them in `all`, which outlives this.
  explicit ProcessFamilies(Families& all);

  const Family& cpu_seconds;
  const Family& resident_memory;
  const Family& virtual_memory;
  const Family& open_fds;
  const Family& max_fds;
  const Family& threads;
  const Family& start_time;
};

// Of this process, read from /proc at each scrape. `families` outlives the handle.
Handle AddProcessMetrics(Registry& registry, const ProcessFamilies& families);

}  // namespace spillway::metrics
