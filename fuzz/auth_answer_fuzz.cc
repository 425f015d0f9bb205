// Answers of an authentication service, by each status that one may have.

#include "fuzz/input.h"
#include "services/edge/auth/auth_text.h"

namespace edge = spillway::edge;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  for (const long status : {200L, 401L, 403L, 500L}) {
    const auto answer = edge::ParseAuthAnswer(status, body);
    if (!answer.ok()) {
      spillway::fuzz::Require(status == 200 || status == 500, "a refusal needs no body");
      continue;
    }
    const edge::AuthVerdict& verdict = *answer->verdict;
    spillway::fuzz::Require(status != 500, "an error is no answer");
    if (verdict.kind == edge::AuthVerdict::Kind::kAllowed) {
      spillway::fuzz::Require(status == 200, "a refusal allows nothing");
      spillway::fuzz::Require(body.find("true") != std::string_view::npos, "it was said");
      spillway::fuzz::Require(!verdict.user.has_value() || !verdict.user->empty(), "a user");
      spillway::fuzz::Require(verdict.expires_ms >= 0, "an end");
    }
    spillway::fuzz::Require(!answer->keep.has_value() || answer->keep->count() >= 0, "a time");
    spillway::fuzz::Require(answer->bytes > 0, "it costs something");
  }
  return 0;
}
