#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string_view>

namespace spillway::edge {

// Of a connection: hexadecimal; nobody can guess it.
using ConnectionId = std::array<char, 32>;

// `random` fills the buffer with bytes that nobody can guess. On the thread that may call it.
ConnectionId NewConnectionId(const std::function<void(uint8_t* bytes, size_t size)>& random);

inline std::string_view TextOf(const ConnectionId& id) { return {id.data(), id.size()}; }

}  // namespace spillway::edge
