// Tokens: none is accepted, since nobody here can sign one.

#include "common/auth/jwt.h"
#include "fuzz/input.h"

namespace auth = spillway::auth;

namespace {

std::unique_ptr<auth::JwtVerifier> MakeVerifier() {
  auth::JwtOptions options;
  options.secrets = {"0123456789abcdef0123456789abcdef"};
  options.audience = "prices";
  auto verifier = auth::JwtVerifier::Create(options, spillway::Clock::Real());
  spillway::fuzz::Require(verifier.ok(), "the options are good");
  return *std::move(verifier);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto verifier = MakeVerifier();
  const std::string_view token(reinterpret_cast<const char*>(data), size);
  const auth::JwtResult result = verifier->Verify(token);
  spillway::fuzz::Require(!result.ok(), "nothing is accepted that was not signed");
  spillway::fuzz::Require(token.size() < 16 || result.detail.find(token) == std::string::npos,
                          "what is logged does not hold the token");
  return 0;
}
