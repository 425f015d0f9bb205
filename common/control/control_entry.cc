#include "common/control/control_entry.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/json_text.h"
#include "common/base/strings.h"
#include "common/net/ip_address.h"

namespace spillway::control {
namespace {

constexpr std::array<std::pair<v1::ControlKind, std::string_view>, 4> kKinds{{
    {v1::CONTROL_KIND_IP_BLOCK, "ip_block"},
    {v1::CONTROL_KIND_USER_BLOCK, "user_block"},
    {v1::CONTROL_KIND_TOKEN_REVOCATION, "token_revocation"},
    {v1::CONTROL_KIND_USER_TOKENS_REVOCATION, "user_tokens_revocation"},
}};

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

}  // namespace

std::string_view KindName(v1::ControlKind kind) {
  for (const auto& [known, name] : kKinds) {
    if (known == kind) return name;
  }
  return {};
}

std::optional<v1::ControlKind> KindOfName(std::string_view name) {
  for (const auto& [kind, known] : kKinds) {
    if (known == name) return kind;
  }
  return std::nullopt;
}

std::string KeyOf(v1::ControlKind kind, std::string_view subject) {
  return absl::StrCat(Abs(KindName(kind)), ":", Abs(subject));
}

absl::StatusOr<std::string> CanonicalSubject(v1::ControlKind kind, std::string_view subject) {
  if (kind == v1::CONTROL_KIND_IP_BLOCK) {
    std::string text(subject);
    if (const auto address = IpAddress::Parse(subject); address.has_value()) {
      text = absl::StrCat(address->OfOneClient().ToString(), address->is_v4() ? "/32" : "/64");
    }
    auto network = IpNetwork::Parse(text);
    if (!network.ok()) return network.status();
    return network->ToString();
  }
  if (KindName(kind).empty()) return absl::InvalidArgumentError("the kind is unknown");
  if (subject.empty()) return absl::InvalidArgumentError("it is empty");
  if (subject.size() > kMaxSubjectBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("it has ", subject.size(), " bytes, at most ", kMaxSubjectBytes, " are kept"));
  }
  if (std::any_of(subject.begin(), subject.end(), IsControl)) {
    return absl::InvalidArgumentError("it holds control characters");
  }
  if (!IsUtf8(subject)) return absl::InvalidArgumentError("it is not UTF-8");
  return std::string(subject);
}

absl::Status Check(const v1::ControlEntry& entry) {
  const auto subject = CanonicalSubject(entry.kind(), entry.subject());
  if (!subject.ok()) return subject.status();
  if (*subject != entry.subject()) {
    return absl::InvalidArgumentError(absl::StrCat("the subject must be written ", *subject));
  }
  if (entry.reason().size() > kMaxReasonBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("the reason has more than ", kMaxReasonBytes, " bytes"));
  }
  if (entry.issued_us() <= 0 || entry.issued_us() > kLatestUs || entry.expires_us() < 0 ||
      entry.expires_us() > kLatestUs || entry.before_us() < 0 || entry.before_us() > kLatestUs) {
    return absl::InvalidArgumentError("issued_us and expires_us must be times");
  }
  return absl::OkStatus();
}

bool Later(const v1::ControlEntry& a, const v1::ControlEntry& b) {
  const auto order = [](const v1::ControlEntry& entry) {
    // What is in force wins over what is not, and the longer over the shorter: on the safe side.
    return std::make_tuple(entry.issued_us(), std::string_view(entry.node_id()), !entry.removed(),
                           entry.before_us(), entry.expires_us() == 0, entry.expires_us(),
                           std::string_view(entry.reason()));
  };
  return order(a) > order(b);
}

bool InForce(const v1::ControlEntry& entry, WallTime now) {
  return !entry.removed() && (entry.expires_us() == 0 || ToUnixMicros(now) < entry.expires_us());
}

}  // namespace spillway::control
