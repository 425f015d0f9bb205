#include "services/ingest/kafka/record_view.h"

#include <librdkafka/rdkafka.h>

namespace spillway::ingest {

void RecordView::ReadHeaders(std::vector<RecordHeader>* out) const {
  out->clear();
  rd_kafka_headers_t* headers = nullptr;  // stays the message's
  if (message == nullptr ||
      rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
    return;
  const char* name = nullptr;
  const void* value = nullptr;
  size_t size = 0;
  for (size_t i = 0;
       rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
       ++i) {
    RecordHeader header{.name = name, .value = std::nullopt};
    if (value != nullptr) header.value = std::string_view(static_cast<const char*>(value), size);
    out->push_back(header);
  }
}

std::optional<std::string_view> RecordView::Header(const char* name) const {
  rd_kafka_headers_t* headers = nullptr;  // stays the message's
  const void* value = nullptr;
  size_t size = 0;
  if (message == nullptr ||
      rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
      rd_kafka_header_get_last(headers, name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR ||
      value == nullptr) {
    return std::nullopt;
  }
  return std::string_view(static_cast<const char*>(value), size);
}

const char* PartitionErrorName(PartitionError error) {
  switch (error) {
    case PartitionError::kNone:
      return "none";
    case PartitionError::kOutOfRange:
      return "offset_out_of_range";
    case PartitionError::kUnknownTopic:
      return "unknown_topic";
    case PartitionError::kDenied:
      return "topic_denied";
    case PartitionError::kTooLarge:
      return "record_too_large_to_fetch";
    case PartitionError::kCorrupt:
      return "corrupt_batch";
    case PartitionError::kOther:
      return "kafka_error";
  }
  return "kafka_error";
}

}  // namespace spillway::ingest
