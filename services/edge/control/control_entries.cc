#include "services/edge/control/control_entries.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/control/control_entry.h"

namespace spillway::edge {
namespace {

using std::chrono::microseconds;

// Some 30,000 years: times beyond do not fit everywhere.
constexpr int64_t kLatestMs = 1'000'000'000'000'000;

absl::Status Invalid(const std::string& what) { return absl::InvalidArgumentError(what); }

}  // namespace

absl::StatusOr<v1::ControlEntry> ControlEntries::Make(v1::ControlKind kind, const char* field,
                                                      const std::string& subject,
                                                      const std::string& reason) const {
  const auto canonical = control::CanonicalSubject(kind, subject);
  if (!canonical.ok()) {
    return Invalid(absl::StrCat(field, ": ", canonical.status().message()));
  }
  if (reason.size() > control::kMaxReasonBytes) {
    return Invalid(
        absl::StrCat("reason has ", reason.size(), " bytes: at most ", control::kMaxReasonBytes));
  }
  v1::ControlEntry entry;
  entry.set_kind(kind);
  entry.set_subject(*canonical);
  entry.set_reason(reason);
  entry.set_node_id(options_.node_id);
  entry.set_issued_us(
      std::max(ToUnixMicros(clock_.WallNow()), blocks_.IssuedUs(kind, entry.subject()) + 1));
  return entry;
}

absl::Status ControlEntries::SetTtl(int64_t ttl_ms, v1::ControlEntry* entry) const {
  if (ttl_ms < 0 || ttl_ms > kLatestMs) {
    return Invalid("ttl_ms must be a number of milliseconds, or 0");
  }
  if (ttl_ms > 0) entry->set_expires_us(ToUnixMicros(clock_.WallNow()) + ttl_ms * 1'000);
  return absl::OkStatus();
}

absl::StatusOr<v1::ControlEntry> ControlEntries::Of(const v1::BlockIpRequest& request) const {
  auto entry = Make(v1::CONTROL_KIND_IP_BLOCK, "ip", request.ip(), request.reason());
  if (!entry.ok()) return entry;
  if (absl::Status status = SetTtl(request.ttl_ms(), &*entry); !status.ok()) return status;
  return entry;
}

absl::StatusOr<v1::ControlEntry> ControlEntries::Of(const v1::BlockUserRequest& request) const {
  auto entry = Make(v1::CONTROL_KIND_USER_BLOCK, "user_id", request.user_id(), request.reason());
  if (!entry.ok()) return entry;
  if (absl::Status status = SetTtl(request.ttl_ms(), &*entry); !status.ok()) return status;
  return entry;
}

absl::StatusOr<v1::ControlEntry> ControlEntries::Of(const v1::RevokeTokenRequest& request) const {
  auto entry = Make(v1::CONTROL_KIND_TOKEN_REVOCATION, "jti", request.jti(), request.reason());
  if (!entry.ok()) return entry;
  const int64_t end = request.token_expires_ms();
  if (end < 0 || end > kLatestMs) {
    return Invalid("token_expires_ms must be a time in milliseconds since 1970, or 0");
  }
  const int64_t now = ToUnixMicros(clock_.WallNow());
  if (end == 0) {
    entry->set_expires_us(now + microseconds(options_.revocation_ttl).count());
    return entry;
  }
  entry->set_expires_us(end * 1'000 + microseconds(kTokenMargin).count());
  if (entry->expires_us() <= now) {
    return Invalid("token_expires_ms: the token has ended, and is refused without this");
  }
  return entry;
}

absl::StatusOr<v1::ControlEntry> ControlEntries::Of(
    const v1::RevokeUserTokensRequest& request) const {
  auto entry =
      Make(v1::CONTROL_KIND_USER_TOKENS_REVOCATION, "user_id", request.user_id(), request.reason());
  if (!entry.ok()) return entry;
  const int64_t before = request.issued_before_ms();
  if (before < 0 || before > kLatestMs) {
    return Invalid("issued_before_ms must be a time in milliseconds since 1970, or 0 for now");
  }
  entry->set_before_us(before == 0 ? ToUnixMicros(clock_.WallNow()) : before * 1'000);
  if (absl::Status status = SetTtl(request.ttl_ms(), &*entry); !status.ok()) return status;
  if (entry->expires_us() == 0) {
    entry->set_expires_us(ToUnixMicros(clock_.WallNow()) +
                          microseconds(options_.revocation_ttl).count());
  }
  // Asking again never makes tokens good that were revoked.
  if (const auto known = blocks_.Find(entry->kind(), entry->subject()); known.has_value()) {
    entry->set_before_us(std::max(entry->before_us(), known->before_us()));
    entry->set_expires_us(std::max(entry->expires_us(), known->expires_us()));
  }
  return entry;
}

absl::StatusOr<v1::ControlEntry> ControlEntries::Of(const v1::UnblockRequest& request) const {
  absl::StatusOr<v1::ControlEntry> entry =
      Invalid("no target: set ip, user_id, jti or tokens_of_user");
  switch (request.target_case()) {
    case v1::UnblockRequest::kIp:
      entry = Make(v1::CONTROL_KIND_IP_BLOCK, "ip", request.ip(), "");
      break;
    case v1::UnblockRequest::kUserId:
      entry = Make(v1::CONTROL_KIND_USER_BLOCK, "user_id", request.user_id(), "");
      break;
    case v1::UnblockRequest::kJti:
      entry = Make(v1::CONTROL_KIND_TOKEN_REVOCATION, "jti", request.jti(), "");
      break;
    case v1::UnblockRequest::kTokensOfUser:
      entry = Make(v1::CONTROL_KIND_USER_TOKENS_REVOCATION, "tokens_of_user",
                   request.tokens_of_user(), "");
      break;
    case v1::UnblockRequest::TARGET_NOT_SET:
      break;
  }
  if (!entry.ok()) return entry;
  // Of an address there may be blocks for failed attempts, on any node.
  if (entry->kind() != v1::CONTROL_KIND_IP_BLOCK &&
      !blocks_.Find(entry->kind(), entry->subject()).has_value()) {
    return absl::NotFoundError(
        absl::StrCat(entry->subject(), " is not blocked or revoked, as far as this node knows"));
  }
  entry->set_removed(true);
  entry->set_expires_us(entry->issued_us() + microseconds(control::kRemovalMemory).count());
  return entry;
}

}  // namespace spillway::edge
