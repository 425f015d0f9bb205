#include "common/gateway/alias.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <memory>
#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/json_text.h"
#include "common/base/strings.h"
#include "common/gateway/gateway_calls.h"

namespace spillway::gateway {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::MessageFactory;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

constexpr std::string_view kVerbs[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
// How the names of calls begin that change nothing.
constexpr std::string_view kLooks[] = {"Get", "List", "Top", "Presence", "History"};

absl::Status Wrong(std::string_view what) { return absl::InvalidArgumentError(Abs(what)); }

// By its own name, or by that in JSON; null: there is none that a text can fill.
const FieldDescriptor* FieldOf(const Descriptor& type, const std::string& name) {
  const FieldDescriptor* field = type.FindFieldByName(name);
  if (field == nullptr) field = type.FindFieldByCamelcaseName(name);
  if (field == nullptr || field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) return nullptr;
  return field;
}

// False: the text is none of the field's.
bool SetField(const FieldDescriptor& field, const std::string& text, Message* message) {
  const auto* reflection = message->GetReflection();
  const bool more = field.is_repeated();
  const auto number = [&](auto value, auto set, auto add) {
    if (!absl::SimpleAtoi(text, &value)) return false;
    more ? (reflection->*add)(message, &field, value) : (reflection->*set)(message, &field, value);
    return true;
  };
  using R = google::protobuf::Reflection;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      if (!IsUtf8(text)) return false;
      more ? reflection->AddString(message, &field, text)
           : reflection->SetString(message, &field, text);
      return true;
    case FieldDescriptor::CPPTYPE_INT32:
      return number(int32_t{}, &R::SetInt32, &R::AddInt32);
    case FieldDescriptor::CPPTYPE_INT64:
      return number(int64_t{}, &R::SetInt64, &R::AddInt64);
    case FieldDescriptor::CPPTYPE_UINT32:
      return number(uint32_t{}, &R::SetUInt32, &R::AddUInt32);
    case FieldDescriptor::CPPTYPE_UINT64:
      return number(uint64_t{}, &R::SetUInt64, &R::AddUInt64);
    case FieldDescriptor::CPPTYPE_BOOL: {
      if (more || (text != "true" && text != "false")) return false;
      reflection->SetBool(message, &field, text == "true");
      return true;
    }
    case FieldDescriptor::CPPTYPE_ENUM: {
      const auto* value = field.enum_type()->FindValueByName(text);
      if (value == nullptr) return false;
      more ? reflection->AddEnum(message, &field, value)
           : reflection->SetEnum(message, &field, value);
      return true;
    }
    default:
      return false;
  }
}

absl::Status CheckAlias(const Alias& alias, const ServiceDescriptor* service) {
  if (std::find(std::begin(kVerbs), std::end(kVerbs), alias.verb) == std::end(kVerbs)) {
    return Wrong(".method: use GET, POST, PUT, PATCH or DELETE");
  }
  const auto path = ParseAliasPath(alias.path);
  if (!path.ok()) return Wrong(absl::StrCat(".path: ", path.status().message()));
  for (const std::string_view own : {"/health", "/ready", "/metrics", "/openapi.json"}) {
    if (alias.path == own) return Wrong(".path: the port has a page of its own there");
  }
  if (alias.path.starts_with("/spillway.")) return Wrong(".path: the calls' own are there");
  if (alias.method.starts_with("/")) {
    if (alias.method != "/health" && alias.method != "/ready") {
      return Wrong(".call: of the pages there are /health and /ready");
    }
    if (alias.verb != "GET" || !path->names().empty()) {
      return Wrong(".call: a page has GET, and a path without placeholders");
    }
    return absl::OkStatus();
  }
  const MethodDescriptor* method =
      service == nullptr ? nullptr : service->FindMethodByName(alias.method);
  if (method == nullptr || method->client_streaming()) {
    return Wrong(absl::StrCat(".call: there is no call '", alias.method, "'"));
  }
  for (const std::string& name : path->names()) {
    if (FieldOf(*method->input_type(), name) != nullptr) continue;
    return Wrong(absl::StrCat(".path: {", name, "}: the request of ", alias.method,
                              " has no such field of text, number or flag"));
  }
  const bool looks = std::any_of(std::begin(kLooks), std::end(kLooks), [&](std::string_view begin) {
    return alias.method.starts_with(begin);
  });
  if (alias.verb == "GET" && !looks) {
    return Wrong(absl::StrCat(".method: ", alias.method,
                              " changes something, which GET must not: use POST"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<http::PathTemplate> ParseAliasPath(std::string_view path) {
  if (!path.starts_with("/") || path.size() < 2 || path.ends_with("/")) {
    return Wrong("a path begins with '/', and does not end with it");
  }
  if (path.find("//") != std::string_view::npos ||
      path.find_first_of("?#") != std::string_view::npos) {
    return Wrong("a segment of a path is a word or a {placeholder}, without '?' and '#'");
  }
  return http::PathTemplate::Parse(path);
}

absl::Status CheckAliases(const std::vector<Alias>& aliases, const std::string& service) {
  const ServiceDescriptor* known = DescriptorPool::generated_pool()->FindServiceByName(service);
  std::set<std::string> seen;
  for (size_t i = 0; i < aliases.size(); ++i) {
    absl::Status status = CheckAlias(aliases[i], known);
    if (status.ok()) {
      const std::string shape =
          absl::StrCat(aliases[i].verb, " ", ParseAliasPath(aliases[i].path)->Shape());
      if (!seen.insert(shape).second) status = Wrong(".path: another one is for the same requests");
    }
    if (!status.ok()) return Wrong(absl::StrCat("[", i, "]", status.message()));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> AliasBody(const Descriptor& type, const std::string& body,
                                      const AliasFields& fields) {
  auto bytes = FromJson(type, body);
  if (!bytes.ok()) return bytes.status();
  const std::unique_ptr<Message> message(
      MessageFactory::generated_factory()->GetPrototype(&type)->New());
  message->ParseFromString(*bytes);
  for (const auto& [name, value] : fields) {
    const FieldDescriptor* field = FieldOf(type, name);
    if (field == nullptr) return Wrong(absl::StrCat("'", name, "': there is no such parameter"));
    if (!SetField(*field, value, message.get())) {
      return Wrong(absl::StrCat("'", name, "': '", value, "' is no value of it"));
    }
  }
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(*message, &json);
  if (!status.ok()) return Wrong(status.message().ToString());
  return json;
}

}  // namespace spillway::gateway
