#pragma once

#include <cstddef>
#include <string_view>

#include "services/edge/dialect/dialect.h"

namespace spillway::edge {

struct JsonCommandLimits {
  size_t max_bytes = 64 * 1024;  // of one message
  size_t max_channels = 100;     // in one command
};

// Reads one client message of json.v1. False: `failure` is set. Strict: members that a command does
// not have, and members given twice, are errors; only ping and pong may carry others, which mean
// nothing. Channel names are not looked at. Any thread; keeps a parser for each.
bool ParseJsonCommand(std::string_view message, bool text, const JsonCommandLimits& limits,
                      Command* command, ParseFailure* failure);

}  // namespace spillway::edge
