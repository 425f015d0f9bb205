#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/metrics/families.h"

namespace spillway::test {

// Compares the table under "## `heading`" of docs/metrics.md (below `source`, the repository) with
// what a tier declares. Empty when they are the same, else what to do. With SPILLWAY_UPDATE_GOLDEN
// set it writes the table instead.
std::string CheckMetricsPage(const std::string& source, std::string_view heading,
                             const metrics::Families& families);

// What is wrong with the names and help texts of what a tier declares; one line each.
std::vector<std::string> BadFamilies(const metrics::Families& families);

// The declared families that a scrape has no series of.
std::vector<std::string> Unexported(const metrics::Families& families, std::string_view scrape);

}  // namespace spillway::test
