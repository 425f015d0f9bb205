#include "common/config/print.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <map>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/strings.h"
#include "common/config/scalars.h"
#include "spillway/v1/config_options.pb.h"

namespace spillway::config {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr char kMask[] = "***";

bool IsSecretName(std::string_view name) {
  const std::string lower = absl::AsciiStrToLower(Abs(name));
  for (const char* part : {"password", "secret", "token", "ssl.key", "jaas"}) {
    if (lower.find(part) != std::string::npos) return true;
  }
  return false;
}

// Text that the loader reads back as it is: quoted, and no $ that it would take for its own.
void EmitText(YAML::Emitter& out, const std::string& text) {
  out << YAML::DoubleQuoted << absl::StrReplaceAll(text, {{"$", "$$"}});
}

void EmitNumber(YAML::Emitter& out, const v1::ConfigFieldOptions& opts, int64_t value) {
  if (opts.unit() == v1::CONFIG_UNIT_DURATION_MS) {
    out << FormatDurationMs(value);
  } else if (opts.unit() == v1::CONFIG_UNIT_BYTES) {
    out << FormatBytes(value);
  } else {
    out << value;
  }
}

void EmitMessage(YAML::Emitter& out, const Message& message);

void EmitValue(YAML::Emitter& out, const Message& message, const FieldDescriptor& field,
               int index) {
  const Reflection& reflection = *message.GetReflection();
  const v1::ConfigFieldOptions& opts = field.options().GetExtension(v1::opt);
  const bool list = index >= 0;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING: {
      const std::string text = list ? reflection.GetRepeatedString(message, &field, index)
                                    : reflection.GetString(message, &field);
      EmitText(out, opts.secret() && !text.empty() ? kMask : text);
      break;
    }
    case FieldDescriptor::CPPTYPE_BOOL:
      out << (list ? reflection.GetRepeatedBool(message, &field, index)
                   : reflection.GetBool(message, &field));
      break;
    case FieldDescriptor::CPPTYPE_INT32:
      EmitNumber(out, opts,
                 list ? reflection.GetRepeatedInt32(message, &field, index)
                      : reflection.GetInt32(message, &field));
      break;
    case FieldDescriptor::CPPTYPE_INT64:
      EmitNumber(out, opts,
                 list ? reflection.GetRepeatedInt64(message, &field, index)
                      : reflection.GetInt64(message, &field));
      break;
    case FieldDescriptor::CPPTYPE_ENUM:
      out << EnumValueName(list ? *reflection.GetRepeatedEnum(message, &field, index)
                                : *reflection.GetEnum(message, &field));
      break;
    default:
      EmitMessage(out, list ? reflection.GetRepeatedMessage(message, &field, index)
                            : reflection.GetMessage(message, &field));
  }
}

void EmitMap(YAML::Emitter& out, const Message& message, const FieldDescriptor& field) {
  const Reflection& reflection = *message.GetReflection();
  std::map<std::string, std::string> sorted;
  for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
    const Message& pair = reflection.GetRepeatedMessage(message, &field, i);
    const Reflection& pair_reflection = *pair.GetReflection();
    sorted[pair_reflection.GetString(pair, pair.GetDescriptor()->FindFieldByNumber(1))] =
        pair_reflection.GetString(pair, pair.GetDescriptor()->FindFieldByNumber(2));
  }
  out << YAML::BeginMap;
  for (const auto& [key, value] : sorted) {
    out << YAML::Key << YAML::DoubleQuoted << key << YAML::Value;
    EmitText(out, field.name() == "properties" && IsSecretName(key) ? kMask : value);
  }
  out << YAML::EndMap;
}

void EmitMessage(YAML::Emitter& out, const Message& message) {
  const Reflection& reflection = *message.GetReflection();
  out << YAML::BeginMap;
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor& field = *message.GetDescriptor()->field(i);
    if (field.has_presence() && !reflection.HasField(message, &field)) continue;
    if (field.is_repeated() && reflection.FieldSize(message, &field) == 0) continue;
    out << YAML::Key << field.name() << YAML::Value;
    if (field.is_map()) {
      EmitMap(out, message, field);
    } else if (field.is_repeated()) {
      out << YAML::BeginSeq;
      for (int j = 0; j < reflection.FieldSize(message, &field); ++j) {
        EmitValue(out, message, field, j);
      }
      out << YAML::EndSeq;
    } else {
      EmitValue(out, message, field, -1);
    }
  }
  out << YAML::EndMap;
}

}  // namespace

std::string PrintConfig(const v1::Config& config) {
  YAML::Emitter out;
  EmitMessage(out, config);
  return absl::StrCat(out.c_str(), "\n");
}

}  // namespace spillway::config
