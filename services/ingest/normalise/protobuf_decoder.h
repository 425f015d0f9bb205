#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace spillway::ingest {

// Turns messages of one type, known from a descriptor set, into JSON by Protobuf's own mapping:
// field names as in the .proto file, fields with default values included, 64-bit integers as
// strings. It builds a dynamic message and a JSON text for every record, which costs some
// microseconds: right for routes of thousands, not of hundreds of thousands, of records a second.
//
// Immutable, so any thread may use it.
class ProtobufDecoder {
 public:
  // `descriptor_set` is the content of a file written by protoc --include_imports
  // --descriptor_set_out. InvalidArgument when it is not that, or does not have the message.
  static absl::StatusOr<std::shared_ptr<const ProtobufDecoder>> Create(
      const std::string& descriptor_set, const std::string& message);
  ~ProtobufDecoder();

  // Replaces `json`. False if the bytes are not such a message.
  bool Decode(std::string_view bytes, std::string& json) const;

 private:
  struct State;
  explicit ProtobufDecoder(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace spillway::ingest
