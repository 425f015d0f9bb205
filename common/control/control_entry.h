#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "spillway/v1/control.pb.h"

namespace spillway::control {

// Blocks and revocations as both tiers handle them. Pure functions; any thread.

inline constexpr size_t kMaxSubjectBytes = 512;
inline constexpr size_t kMaxReasonBytes = 256;
// Of the times that an entry names, in microseconds: the year 2096. Sums of two still fit.
inline constexpr int64_t kLatestUs = 4'000'000'000'000'000;
// How long it is remembered that an entry was lifted: what says otherwise and was issued earlier
// may still be on its way.
inline constexpr std::chrono::hours kRemovalMemory{24};

// "ip_block", ...; "" for none that is known. Stable: in keys of the control topic.
std::string_view KindName(v1::ControlKind kind);
// The one of this name.
std::optional<v1::ControlKind> KindOfName(std::string_view name);

// What entries of one kind and subject share: "user_block:u1".
std::string KeyOf(v1::ControlKind kind, std::string_view subject);
inline std::string KeyOf(const v1::ControlEntry& entry) {
  return KeyOf(entry.kind(), entry.subject());
}

// The one form of a subject. Of an address: its network, so that one of IPv4, mapped into IPv6 or
// not, is written "192.0.2.1/32", and one of IPv6 stands for the first 64 bits of it, which one
// client can be taken to hold all of ("/128" behind it is for that address alone). InvalidArgument
// says what to give instead.
absl::StatusOr<std::string> CanonicalSubject(v1::ControlKind kind, std::string_view subject);

// Whether an entry of another node can be taken: known kind, subject in its one form, bounds.
absl::Status Check(const v1::ControlEntry& entry);

// Of two entries of one key, whether `a` counts and not `b`. A total order of all entries that
// differ in anything that counts: whoever has seen the same ones, in whatever order and however
// often, holds the same one.
bool Later(const v1::ControlEntry& a, const v1::ControlEntry& b);

// Whether it has an effect at this time.
bool InForce(const v1::ControlEntry& entry, WallTime now);

}  // namespace spillway::control
