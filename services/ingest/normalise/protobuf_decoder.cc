#include "services/ingest/normalise/protobuf_decoder.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/type_resolver.h>
#include <google/protobuf/util/type_resolver_util.h>

#include <limits>

#include "absl/strings/str_cat.h"

namespace spillway::ingest {
namespace {

namespace pb = google::protobuf;

constexpr char kTypeUrlPrefix[] = "type.googleapis.com";

// Keeps what is wrong with a descriptor set from going to stderr.
class FirstError final : public pb::DescriptorPool::ErrorCollector {
 public:
  void AddError(const std::string& file, const std::string& element, const pb::Message* /*proto*/,
                ErrorLocation /*location*/, const std::string& message) override {
    if (text.empty()) text = absl::StrCat(file, ": ", element, ": ", message);
  }
  std::string text;
};

}  // namespace

// Declared in the order of their use: destroyed the other way round.
struct ProtobufDecoder::State {
  pb::DescriptorPool pool;
  pb::DynamicMessageFactory factory{&pool};
  std::unique_ptr<pb::util::TypeResolver> resolver;
  std::string type_url;
  const pb::Message* prototype = nullptr;
};

ProtobufDecoder::ProtobufDecoder(std::unique_ptr<State> state) : state_(std::move(state)) {}
ProtobufDecoder::~ProtobufDecoder() = default;

absl::StatusOr<std::shared_ptr<const ProtobufDecoder>> ProtobufDecoder::Create(
    const std::string& descriptor_set, const std::string& message) {
  pb::FileDescriptorSet files;
  if (!files.ParseFromString(descriptor_set) || files.file().empty()) {
    return absl::InvalidArgumentError(
        "not a descriptor set (protoc --include_imports --descriptor_set_out)");
  }
  auto state = std::make_unique<State>();
  for (const pb::FileDescriptorProto& file : files.file()) {
    FirstError error;
    if (state->pool.BuildFileCollectingErrors(file, &error) == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat("the descriptor set is not complete: ", error.text));
    }
  }
  const pb::Descriptor* type = state->pool.FindMessageTypeByName(message);
  if (type == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("the descriptor set has no message ", message));
  }
  state->prototype = state->factory.GetPrototype(type);
  state->resolver.reset(pb::util::NewTypeResolverForDescriptorPool(kTypeUrlPrefix, &state->pool));
  state->type_url = absl::StrCat(kTypeUrlPrefix, "/", message);
  return std::shared_ptr<const ProtobufDecoder>(new ProtobufDecoder(std::move(state)));
}

bool ProtobufDecoder::Decode(std::string_view bytes, std::string& json) const {
  json.clear();
  if (bytes.size() > std::numeric_limits<int>::max()) return false;
  // The conversion below takes cut-off input for a shorter message: the message object is what
  // checks it.
  const std::unique_ptr<pb::Message> message(state_->prototype->New());
  if (!message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return false;
  pb::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  return pb::util::BinaryToJsonString(state_->resolver.get(), state_->type_url,
                                      message->SerializeAsString(), &json, options)
      .ok();
}

}  // namespace spillway::ingest
