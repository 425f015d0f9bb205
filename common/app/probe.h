#pragma once

#include <string>

namespace spillway::app {

// One HTTP GET of "http://host[:port]/path" within two seconds, for health checks in images that
// have no curl. 0 if the answer is 2xx, else 1, with the reason on standard error. Blocks; for
// main() only.
int Probe(const std::string& url);

}  // namespace spillway::app
