#pragma once

#include <prometheus/metric_family.h>

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/metrics/metrics.h"

namespace spillway::metrics::internal {

// One text for a name with labels, whatever their order.
std::string SeriesKey(std::string_view name, Labels labels);
// Empty when `family` is one of `families` and well formed and `labels` are its own, each once;
// else what is wrong.
std::string Problem(const Families& families, const Family& family, const Labels& labels);

// Of a counter or a gauge.
prometheus::ClientMetric ValueMetric(const Family& family, double value);

// The metric families of one scrape while they are gathered. One thread; lives for the scrape.
class FamilySet {
 public:
  // Adds one series. False when there is one with the same labels.
  bool Add(const Family& family, const Labels& labels, prometheus::ClientMetric metric);

  // Adds the family `name` once more under the alias; nothing when it has no series.
  void AddAlias(const std::string& name, const Alias& alias);

  std::vector<prometheus::MetricFamily> Take() &&;

 private:
  std::map<std::string, prometheus::MetricFamily, std::less<>> families_;
  std::set<std::string> series_;  // name and sorted labels of what was added
};

}  // namespace spillway::metrics::internal
