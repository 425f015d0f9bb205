#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace spillway::edge::ws {

// What was agreed about permessage-deflate (RFC 7692). Context takeover is always off both ways, so
// that a compressed frame can be shared and no connection holds a window.
struct DeflateAgreement {
  int server_window_bits = 15;     // at most this for what we send
  bool server_bits_named = false;  // the client asked for a limit, so the answer repeats it
};

// Chooses the first acceptable offer of a Sec-WebSocket-Extensions request header (several headers
// are joined by commas); nothing when there is none. Offers with unknown, repeated or invalid
// parameters are declined, as section 7.1 asks, and those for a window of 8 bits, which zlib cannot
// make.
std::optional<DeflateAgreement> NegotiateDeflate(std::string_view offers);

// The Sec-WebSocket-Extensions header of the answer.
std::string DeflateAnswer(const DeflateAgreement& agreement);

}  // namespace spillway::edge::ws
