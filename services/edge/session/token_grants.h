#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/auth/claims.h"
#include "common/channel/channel_pattern.h"

namespace spillway::edge {

// What a token says of its holder. Pure functions; any thread.

// As many of either count, so that a token cannot make a client dear.
inline constexpr size_t kMaxRoles = 100;
inline constexpr size_t kMaxGrantedChannels = 100;

// The strings of the claim of that name: one, or a list of them; none if it is absent or of another
// form, and no more than kMaxRoles. A name with dots that is no claim's is a way into objects:
// realm_access.roles.
std::vector<std::string> RolesOf(const auth::Claims& claims, std::string_view name);

// Channels that a token lists, by what its holder may do there.
struct TokenChannels {
  std::vector<ChannelPattern> subscribe;
  std::vector<ChannelPattern> publish;
};

// What the claim of that name lists: a list of channel patterns, or of {"channel": PATTERN,
// "allow": [OPERATION, ...]} with the operations "subscribe" and "publish". Without "allow" it is
// to subscribe. None if the claim is absent. InvalidArgument if it has another form or too many
// entries.
absl::StatusOr<TokenChannels> GrantedChannels(const auth::Claims& claims, std::string_view name);

}  // namespace spillway::edge
