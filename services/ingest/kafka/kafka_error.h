#pragma once

#include <librdkafka/rdkafka.h>

#include <string_view>

#include "absl/status/status.h"
#include "services/ingest/kafka/record_view.h"

// One mapping of librdkafka's errors to ours, so that codes stay stable. Pure functions.
namespace spillway::ingest {

// What a partition's error means to whoever reads it.
PartitionError ToPartitionError(rd_kafka_resp_err_t error);

// "<what>: <librdkafka's words> (<NAME>)", with the canonical code that a caller may act on:
// NOT_FOUND unknown topic or partition; PERMISSION_DENIED; UNAUTHENTICATED; DEADLINE_EXCEEDED (the
// outcome is not known); RESOURCE_EXHAUSTED; INVALID_ARGUMENT; CANCELLED; UNAVAILABLE (retry).
absl::Status ToStatus(rd_kafka_resp_err_t error, std::string_view what);

// Of a record that was given up, by `error`, with what librdkafka says became of it: if it may have
// been written it is DEADLINE_EXCEEDED, whatever the error; else as ToStatus().
absl::Status ToStatus(rd_kafka_resp_err_t error, rd_kafka_msg_status_t record,
                      std::string_view what);

}  // namespace spillway::ingest
