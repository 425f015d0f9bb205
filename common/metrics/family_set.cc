#include "common/metrics/family_set.h"

#include <prometheus/metric_type.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/strings.h"

namespace spillway::metrics::internal {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;

bool ValidLabelName(std::string_view name) {
  return ValidName(name) && name.find(':') == std::string_view::npos && !name.starts_with("__");
}

prometheus::MetricType PrometheusType(Family::Type type) {
  switch (type) {
    case Family::Type::kCounter:
      return prometheus::MetricType::Counter;
    case Family::Type::kGauge:
      return prometheus::MetricType::Gauge;
    default:
      return prometheus::MetricType::Histogram;
  }
}

// Adds `from` to `to`. A histogram of other bounds has no sum with it and stays out.
void Accumulate(ClientMetric* to, const ClientMetric& from) {
  auto& sums = to->histogram.bucket;
  const auto& more = from.histogram.bucket;
  if (!std::equal(sums.begin(), sums.end(), more.begin(), more.end(),
                  [](const auto& a, const auto& b) { return a.upper_bound == b.upper_bound; })) {
    return;
  }
  for (size_t i = 0; i < sums.size(); ++i) sums[i].cumulative_count += more[i].cumulative_count;
  to->counter.value += from.counter.value;
  to->gauge.value += from.gauge.value;
  to->histogram.sample_count += from.histogram.sample_count;
  to->histogram.sample_sum += from.histogram.sample_sum;
}

void SumBy(const std::vector<std::string>& keep, std::vector<ClientMetric>* metrics) {
  std::map<std::vector<ClientMetric::Label>, ClientMetric> sums;
  for (ClientMetric& metric : *metrics) {
    std::vector<ClientMetric::Label> labels;
    for (const auto& label : metric.label) {
      if (std::find(keep.begin(), keep.end(), label.name) != keep.end()) labels.push_back(label);
    }
    std::sort(labels.begin(), labels.end());
    metric.label = labels;
    const auto [it, fresh] = sums.try_emplace(std::move(labels), metric);
    if (!fresh) Accumulate(&it->second, metric);
  }
  metrics->clear();
  for (auto& [labels, metric] : sums) metrics->push_back(std::move(metric));
}

}  // namespace

std::string SeriesKey(std::string_view name, Labels labels) {
  std::sort(labels.begin(), labels.end());
  std::string key(name);
  for (const auto& [label, value] : labels) {
    // NUL separates: it can be in no name, and a value with one only makes the key longer.
    key.append(1, '\0').append(label).append(1, '\0').append(value);
  }
  return key;
}

std::string Problem(const Families& families, const Family& family, const Labels& labels) {
  const auto wrong = [&family](std::string_view what) {
    return absl::StrCat("metric '", family.name(), "' ", Abs(what));
  };
  if (!ValidName(family.name())) return wrong("has an invalid name");
  if (!families.Owns(family)) return wrong("is not declared, or declared twice");
  std::set<std::string_view> names;
  for (const auto& [label, value] : labels) {
    // "le" is a histogram's own.
    if (!ValidLabelName(label) || (family.type() == Family::Type::kHistogram && label == "le")) {
      return wrong(absl::StrCat("has an invalid label '", label, "'"));
    }
    if (!names.insert(label).second) return wrong(absl::StrCat("has label '", label, "' twice"));
  }
  const auto& declared = family.labels();
  if (names != std::set<std::string_view>(declared.begin(), declared.end())) {
    return wrong("is registered with other labels than declared");
  }
  return "";
}

ClientMetric ValueMetric(const Family& family, double value) {
  ClientMetric metric;
  (family.type() == Family::Type::kCounter ? metric.counter.value : metric.gauge.value) = value;
  return metric;
}

bool FamilySet::Add(const Family& family, const Labels& labels, ClientMetric metric) {
  if (!series_.insert(SeriesKey(family.name(), labels)).second) return false;
  MetricFamily& out = families_[family.name()];
  if (out.name.empty()) {
    out.name = family.name();
    out.help = family.help();
    out.type = PrometheusType(family.type());
  }
  for (const auto& [label, value] : labels) metric.label.push_back({label, value});
  out.metric.push_back(std::move(metric));
  return true;
}

void FamilySet::AddAlias(const std::string& name, const Alias& alias) {
  const auto original = families_.find(name);
  if (original == families_.end()) return;
  MetricFamily copy = original->second;
  copy.name = alias.name;
  if (!alias.help.empty()) copy.help = alias.help;
  if (alias.sum_by.has_value()) SumBy(*alias.sum_by, &copy.metric);
  families_.emplace(alias.name, std::move(copy));
}

std::vector<MetricFamily> FamilySet::Take() && {
  std::vector<MetricFamily> families;
  families.reserve(families_.size());
  for (auto& [name, family] : families_) families.push_back(std::move(family));
  families_.clear();
  return families;
}

}  // namespace spillway::metrics::internal
