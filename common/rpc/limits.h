#pragma once

#include <chrono>

// What both ends of our gRPC connections agree on. They must match: a client that pings more often
// than the server allows is cut off (ENHANCE_YOUR_CALM), see gRPC's doc/keepalive.md.
namespace spillway::rpc {

// Largest message, received or sent.
inline constexpr int kMaxMessageBytes = 4 * 1024 * 1024;
// The same between edges and ingests: events are not divided there, but for those in batches. Above
// what a record may come to (wire::kMaxRecordBytes) and one piece of a read beside it.
inline constexpr int kMaxTierMessageBytes = 64 * 1024 * 1024;

// Both ends ping an idle or silent connection this often, and give up on it after the timeout.
inline constexpr std::chrono::milliseconds kKeepaliveInterval{10'000};
inline constexpr std::chrono::milliseconds kKeepaliveTimeout{5'000};
// What the server tolerates; below the interval, since pings are not sent on the dot.
inline constexpr std::chrono::milliseconds kLeastPingInterval{5'000};

}  // namespace spillway::rpc
