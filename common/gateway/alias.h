#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/http/path_template.h"

namespace google::protobuf {
class Descriptor;
class MethodDescriptor;
}  // namespace google::protobuf

namespace spillway::gateway {

// Another path and verb for a method: "/connections/{user_id}". A whole segment may be a
// placeholder, of a field of the method's request.
struct Alias {
  std::string verb;  // "GET", ...
  std::string path;
  std::string method;  // "ListConnections"; "/ready": not a method, but what is at that path
};

// InvalidArgument says what is wrong with the path.
absl::StatusOr<http::PathTemplate> ParseAliasPath(std::string_view path);

// Of a call by an alias: names with their values.
using AliasFields = std::vector<std::pair<std::string, std::string>>;

// Checks what aliases say of the methods of a service: that there are such ones, with such fields,
// that a GET changes nothing (a page of another origin can make a browser send one), that no two
// have one verb and path. InvalidArgument names the alias by its place in the list: "[2].path:
// ...".
absl::Status CheckAliases(const std::vector<Alias>& aliases, const std::string& service);

// A request of that type as JSON: what `body` says, with these fields in place of its own. Numbers,
// flags, enumerators and strings; of a repeated field one more. InvalidArgument names the field.
absl::StatusOr<std::string> AliasBody(const google::protobuf::Descriptor& type,
                                      const std::string& body, const AliasFields& fields);

}  // namespace spillway::gateway
