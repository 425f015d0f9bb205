#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace spillway::auth {

// Times from here on, as the year 9999 ends, are as good as none: they do not fit everywhere.
// Seconds since the epoch.
inline constexpr double kLatestSeconds = 253'402'300'799;

// One claim of a token: a JSON value in the forms that rules ask for.
struct Claim {
  enum class Type : uint8_t { kNull, kBool, kInt, kDouble, kString, kList, kObject };

  Type type = Type::kNull;
  bool bool_value = false;
  int64_t int_value = 0;
  double double_value = 0;  // also set for kInt
  std::string string_value;
  std::vector<std::string> list;  // kList: its strings, and its numbers and booleans as text
  std::string json;               // the value as JSON text; empty for a string

  // A string, number or boolean as text ("u1", "42", "true"); nothing for the other types.
  std::optional<std::string> AsText() const;
  // A list's items, or a scalar as a list of one.
  std::vector<std::string> AsList() const;
};

// The claims of a verified token (RFC 7519, section 4). A plain value.
class Claims {
 public:
  // Parses a JSON object. InvalidArgument when it is none, when a name occurs twice (RFC 7519,
  // section 4, lets us refuse that), or when a registered claim has the wrong type.
  static absl::StatusOr<Claims> Parse(std::string_view json);

  // "" when absent.
  const std::string& sub() const { return sub_; }
  const std::string& jti() const { return jti_; }
  const std::string& iss() const { return iss_; }
  const std::vector<std::string>& aud() const { return aud_; }
  // Seconds since the epoch.
  std::optional<double> exp() const { return exp_; }
  std::optional<double> nbf() const { return nbf_; }
  std::optional<double> iat() const { return iat_; }

  // Takes `over`'s claims in place of those of the same name, or beside them; one that is null
  // there goes. Registered claims (RFC 7519, section 4.1) stay as they are.
  void Overlay(const Claims& over);
  // Puts another subject in place.
  void SetSub(std::string sub);

  // Any claim by its name; null when absent.
  const Claim* Find(std::string_view name) const;
  const std::map<std::string, Claim, std::less<>>& all() const { return all_; }

 private:
  std::map<std::string, Claim, std::less<>> all_;
  std::string sub_;
  std::string jti_;
  std::string iss_;
  std::vector<std::string> aud_;
  std::optional<double> exp_;
  std::optional<double> nbf_;
  std::optional<double> iat_;
};

}  // namespace spillway::auth
