#pragma once

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/rpc/access.h"

namespace spillway::app {

// The caller that a section's `bearer_token` stands for, and its name.
inline constexpr char kTokenCaller[] = "bearer_token";

// Those whom the section at `key` lists (its `bearer_token` first, if there is one, then its
// `callers`, which have the same fields), in that order. `role_of`: the role of a listed one; the
// token's is `full_role`.
template <typename Section, typename RoleOf>
std::vector<rpc::Access::CallerOptions> CallersOf(const std::string& key, const Section& section,
                                                  v1::Role full_role, RoleOf role_of) {
  std::vector<rpc::Access::CallerOptions> callers;
  if (!section.bearer_token().empty()) {
    rpc::Access::CallerOptions& caller = callers.emplace_back();
    caller.key = absl::StrCat(key, ".bearer_token");
    caller.name = kTokenCaller;
    caller.role = full_role;
    caller.token = section.bearer_token();
  }
  for (int i = 0; i < section.callers_size(); ++i) {
    const auto& listed = section.callers(i);
    rpc::Access::CallerOptions& caller = callers.emplace_back();
    caller.key = absl::StrCat(key, ".callers[", i, "]");
    caller.name = listed.name();
    caller.role = role_of(listed);
    caller.token = listed.bearer_token();
    caller.token_file = listed.token_file();
    caller.subject = listed.certificate_subject();
    caller.san = listed.certificate_san();
  }
  return callers;
}

}  // namespace spillway::app
