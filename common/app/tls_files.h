#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "common/rpc/tls.h"
#include "spillway/v1/config_common.pb.h"

namespace spillway::app {

// The files of the section at `key`, after a look at what is in them: an operator hears of a file
// that is missing or unfit before anything runs. InvalidArgument then, which begins with the key.
// Reads files: for the start only.
absl::StatusOr<rpc::TlsFiles> TlsFilesOf(std::string_view key, const v1::TlsConfig& config);

}  // namespace spillway::app
