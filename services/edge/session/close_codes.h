#pragma once

#include <cstdint>
#include <string_view>

namespace spillway::edge {

// Close codes (RFC 6455, section 7.4.1; those of 1012 and above by IANA's registry) and our own, of
// the range 4000-4999 left to applications. Numbers and names are part of the client protocol:
// never change one.
struct CloseCode {
  uint16_t code;
  std::string_view name;
};

inline constexpr CloseCode kCloseNormal{1000, "normal"};
inline constexpr CloseCode kCloseGoingAway{1001, "going_away"};
inline constexpr CloseCode kCloseProtocolError{1002, "websocket_protocol_error"};
inline constexpr CloseCode kCloseUnsupportedData{1003, "unsupported_data"};
inline constexpr CloseCode kCloseNoStatus{1005, "no_status"};  // never sent
inline constexpr CloseCode kCloseAbnormal{1006, "abnormal"};   // never sent
inline constexpr CloseCode kCloseInvalidPayload{1007, "invalid_payload"};
inline constexpr CloseCode kClosePolicyViolation{1008, "policy_violation"};
inline constexpr CloseCode kCloseTooBig{1009, "message_too_big"};
inline constexpr CloseCode kCloseInternalError{1011, "internal_error"};
inline constexpr CloseCode kCloseTryAgainLater{1013, "try_again_later"};
inline constexpr CloseCode kCloseUnauthorized{4001, "unauthorized"};
inline constexpr CloseCode kCloseTokenExpired{4002, "token_expired"};
inline constexpr CloseCode kCloseHeartbeatTimeout{4003, "heartbeat_timeout"};
inline constexpr CloseCode kCloseBadCommand{4004, "bad_command"};
inline constexpr CloseCode kCloseSlowConsumer{4008, "slow_consumer"};
inline constexpr CloseCode kCloseDisconnected{4009, "disconnected_by_operator"};
inline constexpr CloseCode kCloseBlocked{4010, "blocked"};
inline constexpr CloseCode kCloseTokenRevoked{4011, "token_revoked"};

inline constexpr CloseCode kCloseCodes[] = {
    kCloseNormal,       kCloseGoingAway,        kCloseProtocolError,  kCloseUnsupportedData,
    kCloseNoStatus,     kCloseAbnormal,         kCloseInvalidPayload, kClosePolicyViolation,
    kCloseTooBig,       kCloseInternalError,    kCloseTryAgainLater,  kCloseUnauthorized,
    kCloseTokenExpired, kCloseHeartbeatTimeout, kCloseBadCommand,     kCloseSlowConsumer,
    kCloseDisconnected, kCloseBlocked,          kCloseTokenRevoked,
};

// The name of a code above; "other" for any other.
constexpr std::string_view CloseCodeName(uint16_t code) {
  for (const CloseCode& known : kCloseCodes) {
    if (known.code == code) return known.name;
  }
  return "other";
}

// Whether a peer may send this code in a close frame (section 7.4; 1012-1014 are registered with
// IANA).
constexpr bool IsSendableCloseCode(uint16_t code) {
  if (code >= 3000) return code <= 4999;
  return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

}  // namespace spillway::edge
