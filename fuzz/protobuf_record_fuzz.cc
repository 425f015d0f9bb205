// Protobuf values of records, by a descriptor set: here that of the link's own messages, which has
// all kinds of fields.

#include <google/protobuf/descriptor.pb.h>

#include <set>

#include "fuzz/input.h"
#include "services/ingest/normalise/framing.h"
#include "services/ingest/normalise/json_document.h"
#include "services/ingest/normalise/protobuf_decoder.h"
#include "spillway/v1/event.pb.h"

namespace ingest = spillway::ingest;

namespace {

void Add(const google::protobuf::FileDescriptor& file, std::set<std::string>* seen,
         google::protobuf::FileDescriptorSet* files) {
  if (!seen->insert(file.name()).second) return;
  for (int i = 0; i < file.dependency_count(); ++i) Add(*file.dependency(i), seen, files);
  file.CopyTo(files->add_file());
}

std::shared_ptr<const ingest::ProtobufDecoder> MakeDecoder() {
  google::protobuf::FileDescriptorSet files;
  std::set<std::string> seen;
  Add(*spillway::v1::Event::descriptor()->file(), &seen, &files);
  auto decoder = ingest::ProtobufDecoder::Create(files.SerializeAsString(), "spillway.v1.Event");
  spillway::fuzz::Require(decoder.ok(), "the descriptors are good");
  return *std::move(decoder);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto decoder = MakeDecoder();
  static ingest::JsonDocument document;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto behind = ingest::SkipConfluentHeader(bytes); behind.has_value()) {
    bytes = ingest::SkipMessageIndexes(*behind).value_or(bytes);
  }
  std::string json;
  if (!decoder->Decode(bytes, json)) return 0;
  spillway::fuzz::Require(document.Parse(json), "what comes out is JSON");
  return 0;
}
