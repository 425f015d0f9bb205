#include "tests/support/jwt_factory.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <cstdint>

#include "common/base/json_text.h"

namespace spillway::test {

std::string JsonObject(const std::vector<std::pair<std::string, std::string>>& members) {
  std::string json = "{";
  for (const auto& [name, value] : members) {
    if (json.size() > 1) json += ',';
    json += JsonString(name) + ":" + value;
  }
  return json + "}";
}

std::string Base64Url(std::string_view bytes) {
  static constexpr char kAlphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = (bits << 8) | static_cast<uint8_t>(c);
    count += 8;
    while (count >= 6) {
      count -= 6;
      out += kAlphabet[(bits >> count) & 0x3F];
    }
  }
  if (count > 0) out += kAlphabet[(bits << (6 - count)) & 0x3F];
  return out;
}

std::string RawToken(std::string_view secret, std::string_view header, std::string_view payload) {
  const std::string text = Base64Url(header) + "." + Base64Url(payload);
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac, &size);
  return text + "." + Base64Url(std::string_view(reinterpret_cast<char*>(mac), size));
}

std::string SignedToken(std::string_view secret, std::string_view claims_json) {
  return RawToken(secret, R"({"alg":"HS256","typ":"JWT"})", claims_json);
}

std::string UserToken(std::string_view secret, std::string_view sub, int64_t exp,
                      const std::vector<std::pair<std::string, std::string>>& more) {
  std::vector<std::pair<std::string, std::string>> members = {{"sub", JsonString(sub)},
                                                              {"exp", std::to_string(exp)}};
  members.insert(members.end(), more.begin(), more.end());
  return SignedToken(secret, JsonObject(members));
}

}  // namespace spillway::test
