#include "common/audit/masked.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <memory>
#include <vector>

#include "common/log/log.h"

namespace spillway::audit {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr char kMask[] = "***";

void Mask(Message* message) {
  const google::protobuf::Reflection& reflection = *message->GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(*message, &fields);
  for (const FieldDescriptor* field : fields) {
    const bool text = field->cpp_type() == FieldDescriptor::CPPTYPE_STRING;
    const bool nested = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    if (field->is_map()) {
      if (IsMasked(field->name())) reflection.ClearField(message, field);
    } else if (field->is_repeated()) {
      for (int i = 0; i < reflection.FieldSize(*message, field); ++i) {
        if (nested) Mask(reflection.MutableRepeatedMessage(message, field, i));
        if (text && IsMasked(field->name())) reflection.SetRepeatedString(message, field, i, kMask);
      }
    } else if (nested) {
      Mask(reflection.MutableMessage(message, field));
    } else if (text && IsMasked(field->name())) {
      reflection.SetString(message, field, kMask);
    }
  }
}

}  // namespace

bool IsMasked(std::string_view field) {
  // Of these the name alone sounds secret: a user, and a place in a list.
  if (field == "tokens_of_user" || field == "page_token") return false;
  return field == "payload" || field == "value" || field == "headers" ||
         field == "idempotency_key" || log::IsSecretName(field);
}

std::string Shown(const Message& request) {
  const std::unique_ptr<Message> shown(request.New());
  shown->CopyFrom(request);
  // Their names are not known here, so neither is whether they are secret.
  shown->DiscardUnknownFields();
  Mask(shown.get());
  return shown->ShortDebugString();
}

}  // namespace spillway::audit
