// JSON that HTTP callers send for messages of gRPC: by a byte one of the requests; in the first
// line the values of an alias (`name=value`, with `&` between them), in the rest the body.

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <memory>
#include <string>
#include <vector>

#include "common/gateway/alias.h"
#include "common/gateway/gateway_calls.h"
#include "fuzz/input.h"
#include "spillway/v1/admin.pb.h"
#include "spillway/v1/publish.pb.h"

namespace gateway = spillway::gateway;
namespace v1 = spillway::v1;
using google::protobuf::Descriptor;
using spillway::fuzz::Require;

namespace {

std::vector<const Descriptor*> Requests() {
  std::vector<const Descriptor*> types;
  for (const auto* file :
       {v1::BroadcastRequest::descriptor()->file(), v1::PublishRequest::descriptor()->file()}) {
    for (int i = 0; i < file->service_count(); ++i) {
      for (int j = 0; j < file->service(i)->method_count(); ++j) {
        types.push_back(file->service(i)->method(j)->input_type());
      }
    }
  }
  return types;
}

gateway::AliasFields FieldsOf(std::string_view line) {
  gateway::AliasFields fields;
  while (!line.empty()) {
    const std::string_view one = line.substr(0, line.find('&'));
    line.remove_prefix(std::min(line.size(), one.size() + 1));
    const size_t equals = std::min(one.find('='), one.size());
    fields.emplace_back(one.substr(0, equals), one.substr(std::min(equals + 1, one.size())));
  }
  return fields;
}

// What the message has to hold of a value: all of it, where it is one of a list of texts.
std::string TextOf(const Descriptor& type, const std::string& name, const std::string& value) {
  const google::protobuf::FieldDescriptor* field = type.FindFieldByName(name);
  const bool text = field != nullptr && field->is_repeated() &&
                    field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_STRING;
  return text ? value : std::string();
}

std::string BytesOf(const Descriptor& type, const std::string& json) {
  auto bytes = gateway::FromJson(type, json);
  Require(bytes.ok(), "what was written is read");
  return *std::move(bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<const Descriptor*> types = Requests();
  spillway::fuzz::Input input(data, size);
  const Descriptor& type = *types[input.TakeByte() % types.size()];
  const std::string_view line = input.TakeLine();
  const std::string body(input.TakeRest());
  if (const auto bytes = gateway::FromJson(type, body); bytes.ok()) {
    const auto json = gateway::ToJson(type, *bytes);
    Require(json.ok(), "what was read can be written");
    Require(BytesOf(type, *json) == *bytes, "and is the same");
  }
  const gateway::AliasFields fields = FieldsOf(line);
  const auto made = gateway::AliasBody(type, body, fields);
  if (!made.ok()) {
    Require(absl::IsInvalidArgument(made.status()), "it is the caller's fault");
  } else {
    const std::string bytes = BytesOf(type, *made);
    for (const auto& [name, value] : fields) {
      Require(bytes.find(TextOf(type, name, value)) != std::string::npos, "a value is as given");
    }
    if (line.empty()) Require(gateway::FromJson(type, body).value_or("") == bytes, "as the body");
  }
  if (const auto path = gateway::ParseAliasPath(line); path.ok()) path->Match(body);
  return 0;
}
