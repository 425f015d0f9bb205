#include "common/metrics/families.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/strings.h"

namespace spillway::metrics {
namespace {

std::string_view TypeName(Family::Type type) {
  switch (type) {
    case Family::Type::kCounter:
      return "counter";
    case Family::Type::kGauge:
      return "gauge";
    default:
      return "histogram";
  }
}

bool IsAlpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

bool ValidName(std::string_view name) {
  if (name.empty() || (!IsAlpha(name[0]) && name[0] != ':')) return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return IsAlpha(c) || IsDigit(c) || c == ':'; });
}

Families::Families()
    : rejected_(&Counter("spillway_metrics_rejected_total",
                         "Series left out of scrapes: a bad name, a type conflict or a "
                         "duplicate.")) {}

const Family& Families::Counter(std::string name, std::string help,
                                std::vector<std::string> labels) {
  return Add({Family::Type::kCounter, std::move(name), std::move(help), std::move(labels)});
}

const Family& Families::Gauge(std::string name, std::string help, std::vector<std::string> labels) {
  return Add({Family::Type::kGauge, std::move(name), std::move(help), std::move(labels)});
}

const Family& Families::Histogram(std::string name, std::string help,
                                  std::vector<std::string> labels) {
  return Add({Family::Type::kHistogram, std::move(name), std::move(help), std::move(labels)});
}

const Family& Families::Add(Family family) {
  families_.push_back(std::move(family));
  return families_.back();
}

const Family* Families::Find(std::string_view name) const {
  for (const Family& family : families_) {
    if (family.name() == name) return &family;
  }
  return nullptr;
}

std::vector<std::string> Families::Names() const {
  std::vector<std::string> names;
  names.reserve(families_.size());
  for (const Family& family : families_) names.push_back(family.name());
  std::sort(names.begin(), names.end());
  return names;
}

std::string Families::Table() const {
  std::string table = "| Name | Type | Meaning |\n| --- | --- | --- |\n";
  for (const std::string& name : Names()) {
    const Family& family = *Find(name);
    absl::StrAppend(&table, "| `", name, "` | ", Abs(TypeName(family.type())), " | ",
                    family.help());
    if (!family.labels().empty()) {
      absl::StrAppend(&table, " By `", absl::StrJoin(family.labels(), "`, `"), "`.");
    }
    absl::StrAppend(&table, " |\n");
  }
  return table;
}

}  // namespace spillway::metrics
