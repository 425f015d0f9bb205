#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "tools/load/run_options.h"

namespace spillway::load {

// Whether clients need a token each: the claims have {i} in them.
bool IsTokenPerClient(const ClientOptions& options);

// A token for client `number`: the options' claims with {i} replaced, and `exp` a day from now
// unless they have one. Empty if there is no secret.
absl::StatusOr<std::string> ClientToken(const ClientOptions& options, uint64_t number);

}  // namespace spillway::load
