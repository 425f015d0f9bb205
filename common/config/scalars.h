#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace google::protobuf {
class EnumDescriptor;
class EnumValueDescriptor;
}  // namespace google::protobuf

namespace spillway::config {

// How scalars are written in the configuration. Parsers return nullopt for what they do not accept
// (also overflow); formatters give the shortest exact form, which the parsers read back.

// "250ms", "1.5s", "5m", "2h", "1d"; a bare number is milliseconds. Fractions must be whole
// milliseconds.
std::optional<int64_t> ParseDurationMs(std::string_view text);
std::string FormatDurationMs(int64_t ms);

// "512", "64KiB", "1MiB", "1GiB", "1KB", "1MB", "1GB", "10B".
std::optional<int64_t> ParseBytes(std::string_view text);
std::string FormatBytes(int64_t bytes);

std::optional<int64_t> ParseInteger(std::string_view text);
// true/false, yes/no, on/off in any case.
std::optional<bool> ParseBool(std::string_view text);

// An enum value as it is written: LOG_LEVEL_INFO of LogLevel is "info".
std::string EnumValueName(const google::protobuf::EnumValueDescriptor& value);
// The values that may be written, without the _UNSPECIFIED one.
std::vector<std::string> EnumValueNames(const google::protobuf::EnumDescriptor& type);
const google::protobuf::EnumValueDescriptor* FindEnumValue(
    const google::protobuf::EnumDescriptor& type, std::string_view name);

// The candidate that `text` was probably meant to be; empty when none is near.
std::string NearestName(std::string_view text, const std::vector<std::string>& candidates);

}  // namespace spillway::config
