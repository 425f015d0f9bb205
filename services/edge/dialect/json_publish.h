#pragma once

#include <simdjson.h>

#include <optional>
#include <string>
#include <string_view>

#include "services/edge/dialect/dialect.h"

namespace spillway::edge {

// What is wrong with a message.
struct JsonProblem {
  std::string_view code;
  std::string text;
};

// A client's text in an error: quoted, short enough, and cut between characters.
std::string Echo(std::string_view text);

// Reads the members of a command `publish` from the object that `message` is; nothing: all is well.
// `data` is the client's own text, which consumers are to get as it is: an object in it that has a
// name twice is refused, since they would not agree on what it says. Any thread.
std::optional<JsonProblem> ReadJsonPublish(simdjson::dom::object object, std::string_view message,
                                           Command* command);

// The text of the value of a member, by its number in the object that `message` is known to be.
std::string_view JsonMemberText(std::string_view message, size_t member);

}  // namespace spillway::edge
