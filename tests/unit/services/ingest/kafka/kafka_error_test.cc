#include "services/ingest/kafka/kafka_error.h"

#include <gtest/gtest.h>

namespace spillway::ingest {
namespace {

TEST(ToPartitionError, TellsWhatEndsAPartition) {
  EXPECT_EQ(ToPartitionError(RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET), PartitionError::kOutOfRange);
  EXPECT_EQ(ToPartitionError(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART),
            PartitionError::kUnknownTopic);
  EXPECT_EQ(ToPartitionError(RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION), PartitionError::kUnknownTopic);
  EXPECT_EQ(ToPartitionError(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED),
            PartitionError::kDenied);
  EXPECT_EQ(ToPartitionError(RD_KAFKA_RESP_ERR__BAD_COMPRESSION), PartitionError::kCorrupt);
  EXPECT_EQ(ToPartitionError(RD_KAFKA_RESP_ERR_UNKNOWN), PartitionError::kOther);
}

TEST(ToPartitionError, NamesAreStable) {
  EXPECT_STREQ(PartitionErrorName(PartitionError::kOutOfRange), "offset_out_of_range");
  EXPECT_STREQ(PartitionErrorName(PartitionError::kUnknownTopic), "unknown_topic");
  EXPECT_STREQ(PartitionErrorName(PartitionError::kDenied), "topic_denied");
}

TEST(ToStatus, CarriesTheCodeAndBothTexts) {
  EXPECT_TRUE(ToStatus(RD_KAFKA_RESP_ERR_NO_ERROR, "x").ok());
  const absl::Status status = ToStatus(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, "topic t");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(status.message(),
            "topic t: Broker: Unknown topic or partition (UNKNOWN_TOPIC_OR_PART)");
  EXPECT_EQ(ToStatus(RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, "").code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(ToStatus(RD_KAFKA_RESP_ERR__QUEUE_FULL, "").code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ToStatus(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, "").code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ToStatus(RD_KAFKA_RESP_ERR__TRANSPORT, "").code(), absl::StatusCode::kUnavailable);
}

// Who publishes must not be told that it was not.
TEST(ToStatus, WhatMayHaveBeenWrittenIsLate) {
  for (const auto error :
       {RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND}) {
    EXPECT_EQ(ToStatus(error, "").code(), absl::StatusCode::kDeadlineExceeded);
  }
  EXPECT_EQ(ToStatus(RD_KAFKA_RESP_ERR__PURGE_QUEUE, "").code(), absl::StatusCode::kCancelled);
}

TEST(ToStatus, ARecordIsLateIfItMayHaveBeenWritten) {
  for (const auto error : {RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__FATAL,
                           RD_KAFKA_RESP_ERR__DESTROY, RD_KAFKA_RESP_ERR_UNKNOWN}) {
    const absl::Status status = ToStatus(error, RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED, "topic t");
    EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ(status.message(), ToStatus(error, "topic t").message());
    EXPECT_EQ(ToStatus(error, RD_KAFKA_MSG_STATUS_NOT_PERSISTED, "topic t"),
              ToStatus(error, "topic t"));
  }
  EXPECT_TRUE(
      ToStatus(RD_KAFKA_RESP_ERR_NO_ERROR, RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED, "").ok());
}

}  // namespace
}  // namespace spillway::ingest
