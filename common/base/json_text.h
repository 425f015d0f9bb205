#pragma once

#include <string>
#include <string_view>

namespace spillway {

// Appends `text` as a JSON string with its quotes (RFC 8259, section 7). Bytes that are not UTF-8
// become U+FFFD, so that the result is always valid JSON whatever a peer sent. Any thread.
void AppendJsonString(std::string* out, std::string_view text);
std::string JsonString(std::string_view text);

// Appends a JSON number; NaN and infinities, which JSON lacks, become null.
void AppendJsonNumber(std::string* out, double value);

// Length of the well-formed UTF-8 sequence that `text` starts with (Unicode 15, table 3-7); 0 if
// there is none.
size_t Utf8SequenceLength(std::string_view text);
// Whether all of it is: protobuf reads no other text, whoever wrote it.
bool IsUtf8(std::string_view text);

}  // namespace spillway
