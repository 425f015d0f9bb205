#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "services/edge/auth/http_auth_service.h"
#include "spillway/v1/config_edge.pb.h"

namespace spillway::edge {

// What edge.auth_service says. InvalidArgument begins with the key that is wrong. Reads files at
// once. `clock` outlives the options.
absl::StatusOr<HttpAuthService::Options> MakeAuthOptions(const v1::AuthServiceConfig& config,
                                                         const Clock& clock);

// The service, if there is one; null: nobody is asked.
absl::StatusOr<std::unique_ptr<HttpAuthService>> MakeAuthService(
    const v1::AuthServiceConfig& config, const Clock& clock, HttpAuthService::Post post);

}  // namespace spillway::edge
