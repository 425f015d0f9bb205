#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace spillway::test {

// Makes tokens, good and bad, for tests. Plain functions; any thread.

// A JSON object of members whose values are JSON text: {{"sub", "\"u1\""}, {"exp", "1"}}.
std::string JsonObject(const std::vector<std::pair<std::string, std::string>>& members);

// An HS256 token with these claims (JSON text).
std::string SignedToken(std::string_view secret, std::string_view claims_json);
// The same with sub and exp (seconds since the epoch), and more members in JSON text if given.
std::string UserToken(std::string_view secret, std::string_view sub, int64_t exp,
                      const std::vector<std::pair<std::string, std::string>>& more = {});
// Any header over any payload with the HS256 signature that belongs to them, without a library's
// checks.
std::string RawToken(std::string_view secret, std::string_view header, std::string_view payload);

std::string Base64Url(std::string_view bytes);

}  // namespace spillway::test
