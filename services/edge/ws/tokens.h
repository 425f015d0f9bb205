#pragma once

#include <string_view>

namespace spillway::edge::ws {

// Pieces of header values (RFC 9110, section 5.6). Pure functions.

std::string_view Trim(std::string_view text);
bool EqualsIgnoreCase(std::string_view a, std::string_view b);  // ASCII

// Takes the next piece off `rest`, trimmed; false after the last, which a null view marks.
//   for (std::string_view piece; NextPiece(&rest, ',', &piece);) ...
bool NextPiece(std::string_view* rest, char separator, std::string_view* piece);

}  // namespace spillway::edge::ws
