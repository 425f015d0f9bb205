#include "common/app/metric_names.h"

#include "absl/strings/str_cat.h"
#include "common/base/strings.h"
#include "common/config/scalars.h"

namespace spillway::app {
namespace {

// What is wrong with "`ours`: `theirs`"; empty when nothing is. `taken`: the further names so far,
// and whose they are.
std::string Problem(const std::string& ours, const std::string& theirs,
                    const metrics::Families& families, std::map<std::string, std::string>* taken) {
  if (families.Find(ours) == nullptr) {
    const std::string nearest = config::NearestName(ours, families.Names());
    return absl::StrCat("there is no such metric; ",
                        nearest.empty() ? "" : absl::StrCat("did you mean \"", nearest, "\"? "),
                        "--print-metrics lists all");
  }
  if (!metrics::ValidName(theirs)) {
    return absl::StrCat(
        "expected a metric name of letters, digits, _ and :, not beginning with a "
        "digit, found \"",
        theirs, "\"");
  }
  if (families.Find(theirs) != nullptr) {
    return absl::StrCat("expected a name of its own, found \"", theirs, "\", which is a metric");
  }
  const auto [it, fresh] = taken->try_emplace(theirs, ours);
  if (!fresh) {
    return absl::StrCat("expected a name of its own, found \"", theirs, "\", which is given to ",
                        it->second);
  }
  return "";
}

}  // namespace

absl::Status CheckMetricNames(const v1::MetricsConfig& config, const metrics::Families& families,
                              std::string_view path, const config::Locations& locations) {
  config::Errors errors;
  std::map<std::string, std::string> taken;
  // In an order that is always the same.
  const std::map<std::string, std::string> names(config.names().begin(), config.names().end());
  for (const auto& [ours, theirs] : names) {
    const std::string problem = Problem(ours, theirs, families, &taken);
    if (problem.empty()) continue;
    const std::string key = absl::StrCat(Abs(path), ".", ours);
    errors.AddLine(absl::StrCat(locations.Describe(key), ": ", problem));
  }
  return errors.ToStatus();
}

std::map<std::string, std::vector<metrics::Alias>> MetricAliases(const v1::MetricsConfig& config) {
  std::map<std::string, std::vector<metrics::Alias>> aliases;
  for (const auto& [ours, theirs] : config.names()) aliases[ours].push_back({theirs, {}, {}});
  return aliases;
}

}  // namespace spillway::app
