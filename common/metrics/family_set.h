#pragma once

#include <prometheus/metric_family.h>

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/metrics/metrics.h"

namespace spillway::metrics::internal {

bool ValidName(std::string_view name);
// One text for a name with labels, whatever their order.
std::string SeriesKey(std::string_view name, Labels labels);
// Empty when every label is well formed and no name repeats; else what is wrong. "le" is a
// histogram's own.
std::string LabelsError(const Labels& labels, bool histogram);

// The metric families of one scrape while they are gathered. One thread; lives for the scrape.
class FamilySet {
 public:
  // Adds one series. False when it clashes with what is there: another type under the name, or the
  // same labels again.
  bool Add(std::string_view name, std::string_view help, prometheus::MetricType type,
           const Labels& labels, prometheus::ClientMetric metric);

  // Adds the family `name` once more under the alias; nothing when there is no such family, or when
  // the alias is the name of one.
  void AddAlias(const std::string& name, const Alias& alias);

  std::vector<prometheus::MetricFamily> Take() &&;

 private:
  std::map<std::string, prometheus::MetricFamily, std::less<>> families_;
  std::set<std::string> series_;  // name and sorted labels of what was added
};

}  // namespace spillway::metrics::internal
