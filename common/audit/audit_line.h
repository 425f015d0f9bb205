#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace spillway::audit {

enum class Category : uint8_t {
  kAdmin,       // what operators do
  kSecurity,    // who is refused or kept out
  kConnection,  // who comes and goes
  kAudit,       // of the audit log itself
};
inline constexpr size_t kCategories = 4;
std::string_view CategoryName(Category category);

// Something that happened. Refers to the caller's strings: it lives as long as the call that it is
// an argument of. No secret belongs in it: see Shown().
struct Record {
  Category category = Category::kAudit;
  int64_t time_ms = 0;  // since the Unix epoch; 0: now
  std::string_view action;
  std::string_view actor;
  std::string_view source;  // address
  std::string_view correlation_id;
  std::string_view target;
  std::string_view outcome;  // "ok", or a code of docs/errors.md
  // Left out of the line where there is none.
  std::string_view reason = {};
  std::string_view connection = {};
  uint32_t close_code = 0;
  uint64_t count = 0;
};

// The longest value of a line; what is longer is cut, between characters, and ends in "...".
inline constexpr size_t kMaxValueBytes = 1'024;

// Appends a line's members but the first ones (docs/audit.md), beginning with a comma, without the
// closing brace: whatever the values hold, it is one line of valid JSON. Pure; any thread.
void AppendMembers(std::string* out, const Record& record);

}  // namespace spillway::audit
