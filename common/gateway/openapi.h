#pragma once

#include <string>
#include <vector>

namespace google::protobuf {
class MethodDescriptor;
}

namespace spillway::gateway {

// A method at another path: see Alias.
struct AliasedMethod {
  std::string verb;
  std::string path;
  const google::protobuf::MethodDescriptor* method;
};

// The OpenAPI 3.0 document (https://spec.openapis.org/oas/v3.0.3) of methods served as
// POST /<service>/<Method>, and of all messages and enums that they speak of, as proto3's JSON
// mapping has them: 64-bit integers are strings, bytes are base64, names are in lowerCamelCase.
// Aliases stand beside them, a GET without a body.
std::string OpenApi(const std::string& title, const std::string& version,
                    const std::vector<const google::protobuf::MethodDescriptor*>& methods,
                    const std::vector<AliasedMethod>& aliases = {});

}  // namespace spillway::gateway
