#pragma once

#include <optional>
#include <string_view>

namespace spillway::ingest {

// The value behind Confluent's wire format (docs.confluent.io, "Wire format"): a zero byte and four
// bytes of schema id. Nullopt if it does not begin so.
std::optional<std::string_view> SkipConfluentHeader(std::string_view value);

// What follows in a Protobuf value: the message indexes, a count and as many numbers, as zigzag
// varints; a single 0 stands for the first message. Nullopt if they are cut off or unreasonable.
std::optional<std::string_view> SkipMessageIndexes(std::string_view value);

}  // namespace spillway::ingest
