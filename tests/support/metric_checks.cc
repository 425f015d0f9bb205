#include "tests/support/metric_checks.h"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>

#include "common/metrics/metrics.h"

namespace spillway::test {

std::string CheckMetricsPage(const std::string& source, std::string_view heading,
                             const metrics::Families& families) {
  const std::string path = source + "/docs/metrics.md";
  std::ifstream stream(path, std::ios::binary);
  std::string page((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  const std::string title = "\n## " + std::string(heading) + "\n\n";
  const size_t found = page.find(title);
  if (found == std::string::npos) return path + " has no section " + std::string(heading);
  const size_t begin = found + title.size();
  const size_t next = page.find("\n## ", begin);
  const size_t size = (next == std::string::npos ? page.size() : next) - begin;
  if (page.compare(begin, size, families.Table()) == 0) return "";
  if (std::getenv("SPILLWAY_UPDATE_GOLDEN") == nullptr) {
    return path + " is out of date: run this test with SPILLWAY_UPDATE_GOLDEN=1";
  }
  page.replace(begin, size, families.Table());
  std::ofstream(path, std::ios::binary) << page;
  return "";
}

std::vector<std::string> BadFamilies(const metrics::Families& families) {
  std::vector<std::string> bad;
  std::set<std::string> seen;
  for (const std::string& name : families.Names()) {
    if (!seen.insert(name).second) bad.push_back(name + " is given twice");
    if (!metrics::ValidName(name)) bad.push_back(name + " is no metric's name");
    if (!name.starts_with("spillway_") && !name.starts_with("process_")) {
      bad.push_back(name + " has another prefix");
    }
    if (families.Find(name)->help().empty()) bad.push_back(name + " has no help text");
  }
  return bad;
}

std::vector<std::string> Unexported(const metrics::Families& families, std::string_view scrape) {
  std::vector<std::string> missing;
  for (const std::string& name : families.Names()) {
    if (scrape.find("# TYPE " + name + " ") == std::string_view::npos) missing.push_back(name);
  }
  return missing;
}

}  // namespace spillway::test
