#include "common/auth/claims.h"

#include <simdjson.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace spillway::auth {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

Claim ToClaim(element value) {
  Claim claim;
  if (!value.is_string()) claim.json = simdjson::minify(value);
  switch (value.type()) {
    case element_type::STRING:
      claim.type = Claim::Type::kString;
      claim.string_value = std::string(value.get_string().value_unsafe());
      break;
    case element_type::INT64:
      claim.type = Claim::Type::kInt;
      claim.int_value = value.get_int64().value_unsafe();
      claim.double_value = static_cast<double>(claim.int_value);
      break;
    case element_type::UINT64:  // only above int64's range
    case element_type::DOUBLE:
      claim.type = Claim::Type::kDouble;
      claim.double_value = value.get_double().value_unsafe();
      break;
    case element_type::BOOL:
      claim.type = Claim::Type::kBool;
      claim.bool_value = value.get_bool().value_unsafe();
      break;
    case element_type::NULL_VALUE:
      break;
    case element_type::OBJECT:
      claim.type = Claim::Type::kObject;
      break;
    case element_type::ARRAY: {
      claim.type = Claim::Type::kList;
      const simdjson::dom::array items = value.get_array().value_unsafe();
      for (const element item : items) {
        if (item.is_array() || item.is_object()) continue;  // no rule looks into them
        if (auto text = ToClaim(item).AsText()) claim.list.push_back(std::move(*text));
      }
      break;
    }
  }
  return claim;
}

absl::Status WrongType(const char* name, const char* wanted) {
  return absl::InvalidArgumentError(absl::StrCat("claim '", name, "' is not ", wanted));
}

absl::Status TakeString(const Claims& claims, const char* name, std::string* out) {
  const Claim* claim = claims.Find(name);
  if (claim == nullptr) return absl::OkStatus();
  if (claim->type != Claim::Type::kString) return WrongType(name, "a string");
  *out = claim->string_value;
  return absl::OkStatus();
}

absl::Status TakeTime(const Claims& claims, const char* name, std::optional<double>* out) {
  const Claim* claim = claims.Find(name);
  if (claim == nullptr) return absl::OkStatus();
  if (claim->type != Claim::Type::kInt && claim->type != Claim::Type::kDouble) {
    return WrongType(name, "a number of seconds");
  }
  *out = claim->double_value;
  return absl::OkStatus();
}

}  // namespace

std::optional<std::string> Claim::AsText() const {
  switch (type) {
    case Type::kString:
      return string_value;
    case Type::kBool:
    case Type::kInt:
    case Type::kDouble:
      return json;
    default:
      return std::nullopt;
  }
}

std::vector<std::string> Claim::AsList() const {
  if (type == Type::kList) return list;
  std::vector<std::string> one;
  if (auto text = AsText()) one.push_back(std::move(*text));
  return one;
}

absl::StatusOr<Claims> Claims::Parse(std::string_view json) {
  thread_local simdjson::dom::parser parser;  // keeps its buffers, which a token's size bounds
  simdjson::dom::object object;
  if (parser.parse(json.data(), json.size()).get(object) != simdjson::SUCCESS) {
    return absl::InvalidArgumentError("the payload is not a JSON object");
  }
  Claims claims;
  for (const auto& [name, value] : object) {
    if (!claims.all_.emplace(std::string(name), ToClaim(value)).second) {
      return absl::InvalidArgumentError("a claim is given twice");
    }
  }
  for (const absl::Status& status :
       {TakeString(claims, "jti", &claims.jti_), TakeString(claims, "iss", &claims.iss_),
        TakeTime(claims, "exp", &claims.exp_), TakeTime(claims, "nbf", &claims.nbf_),
        TakeTime(claims, "iat", &claims.iat_)}) {
    if (!status.ok()) return status;
  }
  // "sub" should be a string; issuers that put a number there are common enough to be understood.
  if (const Claim* sub = claims.Find("sub"); sub != nullptr) {
    if (sub->type != Claim::Type::kString && sub->type != Claim::Type::kInt) {
      return WrongType("sub", "a string");
    }
    claims.sub_ = *sub->AsText();
  }
  if (const Claim* aud = claims.Find("aud"); aud != nullptr) {
    if (aud->type != Claim::Type::kString && aud->type != Claim::Type::kList) {
      return WrongType("aud", "a string or a list of strings");
    }
    claims.aud_ = aud->AsList();
  }
  return claims;
}

void Claims::Overlay(const Claims& over) {
  static constexpr std::string_view kRegistered[] = {"iss", "sub", "aud", "exp",
                                                     "nbf", "iat", "jti"};
  for (const auto& [name, claim] : over.all_) {
    if (std::find(std::begin(kRegistered), std::end(kRegistered), name) != std::end(kRegistered)) {
      continue;
    }
    if (claim.type == Claim::Type::kNull) {
      all_.erase(name);
    } else {
      all_[name] = claim;
    }
  }
}

void Claims::SetSub(std::string sub) {
  Claim claim;
  claim.type = Claim::Type::kString;
  claim.string_value = sub;
  all_["sub"] = std::move(claim);
  sub_ = std::move(sub);
}

const Claim* Claims::Find(std::string_view name) const {
  const auto it = all_.find(name);
  return it == all_.end() ? nullptr : &it->second;
}

}  // namespace spillway::auth
