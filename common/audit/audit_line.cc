#include "common/audit/audit_line.h"

#include "absl/strings/str_cat.h"
#include "common/base/json_text.h"

namespace spillway::audit {
namespace {

constexpr std::string_view kCut = "...";

void AppendMember(std::string* out, std::string_view key, std::string_view value) {
  out->append(",\"").append(key).append("\":");
  if (value.size() <= kMaxValueBytes) return AppendJsonString(out, value);
  size_t end = kMaxValueBytes - kCut.size();
  // Not within a character: its first byte is at most three back.
  for (int i = 0; i < 3 && (static_cast<uint8_t>(value[end]) & 0xC0) == 0x80; ++i) --end;
  std::string cut(value.substr(0, end));
  AppendJsonString(out, cut.append(kCut));
}

void AppendGiven(std::string* out, std::string_view key, std::string_view value) {
  if (!value.empty()) AppendMember(out, key, value);
}

}  // namespace

std::string_view CategoryName(Category category) {
  switch (category) {
    case Category::kAdmin:
      return "admin";
    case Category::kSecurity:
      return "security";
    case Category::kConnection:
      return "connection";
    case Category::kAudit:
      return "audit";
  }
  return "unknown";
}

void AppendMembers(std::string* out, const Record& record) {
  AppendMember(out, "category", CategoryName(record.category));
  AppendMember(out, "action", record.action);
  AppendMember(out, "actor", record.actor);
  AppendMember(out, "source", record.source);
  AppendMember(out, "correlation_id", record.correlation_id);
  AppendMember(out, "target", record.target);
  AppendMember(out, "outcome", record.outcome);
  AppendGiven(out, "reason", record.reason);
  AppendGiven(out, "connection", record.connection);
  if (record.close_code != 0) absl::StrAppend(out, ",\"close_code\":", record.close_code);
  if (record.count != 0) absl::StrAppend(out, ",\"count\":", record.count);
}

}  // namespace spillway::audit
