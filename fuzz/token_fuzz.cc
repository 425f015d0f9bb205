// Tokens and their claims, for issuers with keys of every kind: none is accepted that was not
// signed. An input is a token; or, in lines, its header, its claims, and bytes for a signature: if
// there are none it is signed with the secret, so that claims come as far as any.

#include <algorithm>
#include <string>

#include "common/auth/base64url.h"
#include "common/auth/hmac.h"
#include "common/auth/jwt.h"
#include "fuzz/input.h"
#include "fuzz/token_keys.h"

namespace auth = spillway::auth;
using spillway::fuzz::Input;
using spillway::fuzz::Require;

namespace {

std::shared_ptr<auth::KeySource> SourceOf(const auth::KeySet::Made& keys) {
  Require(keys.ok(), "the keys are good");
  return std::make_shared<auth::KeySource>(*keys);
}

std::unique_ptr<auth::JwtVerifier> Verifier(const auth::JwtOptions& options) {
  auto verifier = auth::JwtVerifier::Create(options, spillway::Clock::Real());
  Require(verifier.ok(), "the options are good");
  return *std::move(verifier);
}

// With several issuers the claims are read before the signature is checked.
std::unique_ptr<auth::JwtVerifier> MakeSeveral() {
  const auto all = auth::AlgorithmSet::All();
  auth::JwtOptions options;
  options.issuers = {
      {"secrets", "prices",
       SourceOf(auth::KeySet::FromSecrets({spillway::fuzz::kTokenSecret}, all))},
      {"keys", "prices",
       SourceOf(auth::KeySet::FromJwks(spillway::fuzz::kTokenKeys, all, /*trusted=*/true))}};
  auto verifier = Verifier(options);
  Input tokens(reinterpret_cast<const uint8_t*>(spillway::fuzz::kTokens),
               sizeof(spillway::fuzz::kTokens) - 1);
  for (size_t i = 0; i < auth::kAlgorithms; ++i) {
    Require(verifier->Verify(tokens.TakeLine()).ok(), "what was signed is accepted");
  }
  return verifier;
}

std::unique_ptr<auth::JwtVerifier> MakeSingle() {
  auth::JwtOptions options;
  options.secrets = {spillway::fuzz::kTokenSecret};
  options.audience = "prices";
  return Verifier(options);
}

std::string Base64Url(std::string_view bytes) {
  constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string text;
  uint32_t held = 0;
  int bits = 0;
  for (const char c : bytes) {
    held = held << 8 | static_cast<unsigned char>(c);
    for (bits += 8; bits >= 6; bits -= 6) text += kAlphabet[held >> (bits - 6) & 63];
  }
  if (bits > 0) text += kAlphabet[held << (6 - bits) & 63];
  std::string back;
  Require(auth::DecodeBase64Url(text, &back) && back == bytes, "what is encoded is decoded");
  return text;
}

std::string Assemble(Input input, bool* is_signed) {
  static const auto hmac = auth::Hmac::Create("SHA256", spillway::fuzz::kTokenSecret);
  std::string token = Base64Url(input.TakeLine()) + ".";
  token += Base64Url(input.TakeLine());
  const std::string_view signature = input.TakeRest();
  *is_signed = signature.empty();
  return token + "." + Base64Url(*is_signed ? hmac->Of(token) : std::string(signature));
}

void CheckClaims(std::string_view json) {
  auto claims = auth::Claims::Parse(json);
  if (!claims.ok()) return;
  const auth::Claim* sub = claims->Find("sub");
  Require(sub != nullptr ? sub->AsText() == claims->sub() : claims->sub().empty(), "the subject");
  for (const auto& [name, claim] : claims->all()) {
    const bool text = claim.AsText().has_value();
    Require(claim.AsList().size() == (text ? 1 : claim.list.size()), "a scalar is a list of one");
    Require(claim.json.empty() == (claim.type == auth::Claim::Type::kString), "its JSON");
    if (claim.json.empty()) continue;
    Require(auth::Claims::Parse("{\"again\":" + claim.json + "}").ok(), "what is kept is JSON");
  }
  auth::Claims other = *auth::Claims::Parse(R"({"sub":"u2","iss":"i","jti":"j","n":1})");
  other.Overlay(*claims);
  Require(other.sub() == "u2" && other.iss() == "i" && other.jti() == "j",
          "registered claims stay");
}

void CheckAccepted(const auth::JwtResult& result, std::string_view token, bool is_signed) {
  if (!result.ok()) return;
  const auto& audiences = result.claims.aud();
  Require(std::find(audiences.begin(), audiences.end(), "prices") != audiences.end(),
          "the audience is asked for");
  if (is_signed) return;
  std::string claims;
  const size_t from = token.find('.') + 1;
  Require(auth::DecodeBase64Url(token.substr(from, token.find('.', from) - from), &claims), "");
  Require(claims == R"({"iss":"secrets","aud":"prices","sub":"u1"})" ||
              claims == R"({"iss":"keys","aud":"prices","sub":"u1"})",
          "nothing is accepted that was not signed");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto several = MakeSeveral();
  static const auto single = MakeSingle();
  Input input(data, size);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  CheckClaims(text);
  bool is_signed = false;
  std::string token(text);
  if (text.find('\n') != std::string_view::npos) {
    Input lines = input;
    lines.TakeLine();
    CheckClaims(lines.TakeLine());
    token = Assemble(input, &is_signed);
  }
  for (const auto* verifier : {several.get(), single.get()}) {
    const auth::JwtResult result = verifier->Verify(token);
    CheckAccepted(result, token, is_signed);
    const bool has_parts = token.size() >= 16 && token.find('.') != std::string::npos;
    Require(!has_parts || result.detail.find(token) == std::string::npos,
            "what is logged does not hold the token");
    if (!result.ok() || verifier != several.get()) continue;
    Require(result.claims.iss() == (result.issuer == 0 ? "secrets" : "keys"), "its issuer's");
  }
  return 0;
}
