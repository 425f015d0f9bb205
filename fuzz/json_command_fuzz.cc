// Commands of clients, in json.v1.

#include <simdjson.h>

#include "fuzz/input.h"
#include "services/edge/dialect/json_commands.h"

namespace edge = spillway::edge;
using spillway::fuzz::Require;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view message(reinterpret_cast<const char*>(data), size);
  edge::JsonCommandLimits limits;
  limits.max_bytes = 4096;
  limits.max_channels = 20;
  edge::Command command;
  edge::ParseFailure failure;
  if (!edge::ParseJsonCommand(message, /*text=*/true, limits, &command, &failure)) {
    Require(!failure.code.empty() && !failure.message.empty(), "a refusal says why");
    return 0;
  }
  Require(size <= limits.max_bytes, "a message has its bound");
  Require(command.channels.size() <= limits.max_channels, "channels have their bound");
  for (const size_t channel : command.resumed) {
    Require(channel < command.channels.size(), "a position is of a channel that is named");
  }
  for (const edge::ClaimedPosition& one : command.positions) {
    Require(one.channel < command.channels.size(), "so is each entry of one");
  }
  if (command.type == edge::Command::Type::kPublish) {
    Require(command.channels.size() == 1, "an event is for one channel");
    simdjson::dom::parser parser;
    simdjson::dom::element value;
    Require(parser.parse(command.data.data(), command.data.size()).get(value) == simdjson::SUCCESS,
            "what is sent on is JSON");
  }
  return 0;
}
