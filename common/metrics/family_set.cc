#include "common/metrics/family_set.h"

#include <prometheus/metric_type.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <utility>

namespace spillway::metrics::internal {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;

bool IsAlpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool ValidLabelName(std::string_view name) {
  if (name.empty() || !IsAlpha(name[0]) || name.starts_with("__")) return false;
  return std::all_of(name.begin(), name.end(), [](char c) { return IsAlpha(c) || IsDigit(c); });
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

bool ValidName(std::string_view name) {
  if (name.empty() || (!IsAlpha(name[0]) && name[0] != ':')) return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return IsAlpha(c) || IsDigit(c) || c == ':'; });
}

std::string SeriesKey(std::string_view name, Labels labels) {
  std::sort(labels.begin(), labels.end());
  std::string key(name);
  for (const auto& [label, value] : labels) {
    // NUL separates: it can be in no name, and a value with one only makes the key longer.
    key.append(1, '\0').append(label).append(1, '\0').append(value);
  }
  return key;
}

std::string LabelsError(const Labels& labels, bool histogram) {
  std::set<std::string_view> names;
  for (const auto& [name, value] : labels) {
    if (!ValidLabelName(name) || (histogram && name == "le")) {
      return "invalid label name '" + name + "'";
    }
    if (!names.insert(name).second) return "label '" + name + "' is given twice";
  }
  return "";
}

bool FamilySet::Add(std::string_view name, std::string_view help, prometheus::MetricType type,
                    const Labels& labels, ClientMetric metric) {
  auto it = families_.find(name);
  if (it == families_.end()) {
    it = families_.emplace(std::string(name), MetricFamily()).first;
    it->second.name = std::string(name);
    it->second.help = std::string(help);
    it->second.type = type;
  }
  MetricFamily& family = it->second;
  if (family.type != type || !series_.insert(SeriesKey(name, labels)).second) return false;
  for (const auto& [label, value] : labels) metric.label.push_back({label, value});
  family.metric.push_back(std::move(metric));
  return true;
}

void FamilySet::AddAlias(const std::string& name, const Alias& alias) {
  const auto original = families_.find(name);
  if (original == families_.end() || families_.contains(alias.name)) return;
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
