#include "services/ingest/normalise/types.h"

namespace spillway::ingest {

std::string_view RejectCode(RejectReason reason) {
  switch (reason) {
    case RejectReason::kUndecodableJson:
      return "undecodable_json";
    case RejectReason::kUndecodableProtobuf:
      return "undecodable_protobuf";
    case RejectReason::kBadFraming:
      return "bad_framing";
    case RejectReason::kOversized:
      return "oversized";
    case RejectReason::kMissingField:
      return "missing_field";
    case RejectReason::kBadChannel:
      return "bad_channel";
    case RejectReason::kBadKey:
      return "bad_key";
    case RejectReason::kBadType:
      return "bad_type";
    case RejectReason::kPayloadNotObject:
      return "payload_not_object";
  }
  return "unknown";
}

std::string NormaliseResult::Describe() const {
  if (!rejected.has_value()) return "";
  std::string text(RejectCode(*rejected));
  if (!detail.empty()) text.append(":").append(detail);
  return text;
}

}  // namespace spillway::ingest
