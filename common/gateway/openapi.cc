#include "common/gateway/openapi.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/json_text.h"
#include "common/gateway/alias.h"
#include "common/rpc/roles.h"

namespace spillway::gateway {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::MethodDescriptor;

std::string Quoted(std::string_view text) {
  std::string out;
  AppendJsonString(&out, text);
  return out;
}

std::string Ref(const std::string& name) {
  return absl::StrCat(R"({"$ref":"#/components/schemas/)", name, R"("})");
}

class Schemas {
 public:
  std::string MessageRef(const Descriptor& message) {
    AddMessage(message);
    return Ref(message.full_name());
  }
  std::string Text() const {
    std::string text;
    for (const std::string& schema : schemas_) {
      absl::StrAppend(&text, text.empty() ? "" : ",", schema);
    }
    return text;
  }

 private:
  void AddMessage(const Descriptor& message) {
    if (!known_.insert(message.full_name()).second) return;
    std::string properties;
    for (int i = 0; i < message.field_count(); ++i) {
      const FieldDescriptor& field = *message.field(i);
      absl::StrAppend(&properties, properties.empty() ? "" : ",", Quoted(field.json_name()), ":",
                      TypeOf(field));
    }
    schemas_.push_back(absl::StrCat(Quoted(message.full_name()),
                                    R"(:{"type":"object","additionalProperties":false,)",
                                    R"("properties":{)", properties, "}}"));
  }
  void AddEnum(const EnumDescriptor& type) {
    if (!known_.insert(type.full_name()).second) return;
    std::string values;
    for (int i = 0; i < type.value_count(); ++i) {
      absl::StrAppend(&values, values.empty() ? "" : ",", Quoted(type.value(i)->name()));
    }
    schemas_.push_back(
        absl::StrCat(Quoted(type.full_name()), R"(:{"type":"string","enum":[)", values, "]}"));
  }

  std::string TypeOf(const FieldDescriptor& field) {
    if (field.is_map()) {
      return absl::StrCat(R"({"type":"object","additionalProperties":)",
                          OneOf(*field.message_type()->map_value()), "}");
    }
    if (!field.is_repeated()) return OneOf(field);
    return absl::StrCat(R"({"type":"array","items":)", OneOf(field), "}");
  }
  std::string OneOf(const FieldDescriptor& field) {
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_BOOL:
        return R"({"type":"boolean"})";
      case FieldDescriptor::CPPTYPE_INT32:
      case FieldDescriptor::CPPTYPE_UINT32:
        return R"({"type":"integer"})";
      case FieldDescriptor::CPPTYPE_INT64:
        return R"({"type":"string","format":"int64"})";
      case FieldDescriptor::CPPTYPE_UINT64:
        return R"({"type":"string","format":"uint64"})";
      case FieldDescriptor::CPPTYPE_FLOAT:
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return R"({"type":"number"})";
      case FieldDescriptor::CPPTYPE_ENUM:
        AddEnum(*field.enum_type());
        return Ref(field.enum_type()->full_name());
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return MessageRef(*field.message_type());
      case FieldDescriptor::CPPTYPE_STRING:
        break;
    }
    return field.type() == FieldDescriptor::TYPE_BYTES ? R"({"type":"string","format":"byte"})"
                                                       : R"({"type":"string"})";
  }

  std::set<std::string> known_;
  std::vector<std::string> schemas_;
};

std::string OperationId(const MethodDescriptor& method, const AliasedMethod* alias) {
  const std::string id = absl::StrCat(method.service()->name(), ".", method.name());
  return alias == nullptr ? id : absl::StrCat(id, " ", alias->verb, " ", alias->path);
}

// Of an alias: what stands in its path, and, where it has no body, the query.
std::string Parameters(const MethodDescriptor& method, const AliasedMethod* alias) {
  if (alias == nullptr) return "";
  const auto path = ParseAliasPath(alias->path);
  std::string parameters;
  const auto add = [&](std::string_view name, bool in_path) {
    absl::StrAppend(&parameters, parameters.empty() ? "" : ",", R"({"name":)", Quoted(name),
                    R"(,"in":")", in_path ? "path" : "query", R"(","required":)",
                    in_path ? "true" : "false", R"(,"schema":{"type":"string"}})");
  };
  const std::vector<std::string>& names = path->names();
  for (const std::string& name : names) add(name, true);
  for (int i = 0; alias->verb == "GET" && i < method.input_type()->field_count(); ++i) {
    const FieldDescriptor& field = *method.input_type()->field(i);
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (std::find(names.begin(), names.end(), field.name()) == names.end()) {
      add(field.name(), false);
    }
  }
  return absl::StrCat(R"(,"parameters":[)", parameters, "]");
}

std::string BodyOf(const MethodDescriptor& method, const AliasedMethod* alias, Schemas& schemas) {
  const std::string type = schemas.MessageRef(*method.input_type());
  if (alias != nullptr && alias->verb == "GET") return "";
  return absl::StrCat(R"("requestBody":{"required":)", alias == nullptr ? "true" : "false",
                      R"(,"content":{"application/json":{"schema":)", type, "}}},");
}

// `alias`: null for the method's own path.
std::string Operation(const MethodDescriptor& method, const AliasedMethod* alias,
                      Schemas& schemas) {
  const std::string role(rpc::RoleName(rpc::RequiredRole(method)));
  const char* type = method.server_streaming() ? "application/x-ndjson" : "application/json";
  return absl::StrCat(
      R"({"operationId":)", Quoted(OperationId(method, alias)), Parameters(method, alias),
      R"(,"tags":[)", Quoted(method.service()->full_name()), R"(],"x-required-role":)",
      Quoted(role), R"(,"description":)", Quoted(absl::StrCat("Needs the role ", role, ".")), ",",
      BodyOf(method, alias, schemas), R"("responses":{"200":{"description":)",
      Quoted(method.server_streaming() ? "One JSON document a line." : "The answer."),
      R"(,"content":{")", type, R"(":{"schema":)", schemas.MessageRef(*method.output_type()),
      R"(}}},"default":{"description":"An error, by gRPC's code.","content":{"application/json":)",
      R"({"schema":{"$ref":"#/components/schemas/Error"}}}}}})");
}

constexpr std::string_view kError =
    R"("Error":{"type":"object","properties":{"error":{"type":"object","properties":{)"
    R"("code":{"type":"string"},"message":{"type":"string"}}}}})";

}  // namespace

std::string OpenApi(const std::string& title, const std::string& version,
                    const std::vector<const MethodDescriptor*>& methods,
                    const std::vector<AliasedMethod>& aliases) {
  Schemas schemas;
  std::string paths;
  for (const MethodDescriptor* method : methods) {
    absl::StrAppend(&paths, paths.empty() ? "" : ",",
                    Quoted(absl::StrCat("/", method->service()->full_name(), "/", method->name())),
                    R"(:{"post":)", Operation(*method, nullptr, schemas), "}");
  }
  std::map<std::string, std::string> by_path;
  for (const AliasedMethod& alias : aliases) {
    std::string& operations = by_path[alias.path];
    absl::StrAppend(&operations, operations.empty() ? "" : ",",
                    Quoted(absl::AsciiStrToLower(alias.verb)), ":",
                    Operation(*alias.method, &alias, schemas));
  }
  for (const auto& [path, operations] : by_path) {
    absl::StrAppend(&paths, paths.empty() ? "" : ",", Quoted(path), ":{", operations, "}");
  }
  const std::string types = schemas.Text();
  return absl::StrCat(R"({"openapi":"3.0.3","info":{"title":)", Quoted(title), R"(,"version":)",
                      Quoted(version), R"(},"paths":{)", paths, R"(},"components":{"schemas":{)",
                      types, types.empty() ? "" : ",", std::string(kError),
                      R"(},"securitySchemes":{"bearer":{"type":"http","scheme":"bearer"}}},)",
                      R"("security":[{"bearer":[]},{}]})");
}

}  // namespace spillway::gateway
