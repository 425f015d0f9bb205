#pragma once

#include <string_view>

#include "common/config/errors.h"
#include "spillway/v1/config_root.pb.h"

namespace spillway::config {

// The rules that involve several keys, or a value's inner form: addresses, channel patterns, TLS
// pairs, ... Routes are compiled, and so checked in depth, by services/ingest/normalise.
void Validate(const v1::Config& config, const Locations& locations, Errors& errors);

// Whether the whole of `text` matches `pattern`, in which * stands for any characters, or none.
bool MatchesWildcard(std::string_view pattern, std::string_view text);

// Whether this is host:port with a port from 0 to 65535; a host in brackets may have colons.
bool IsHostPort(std::string_view text);

}  // namespace spillway::config
