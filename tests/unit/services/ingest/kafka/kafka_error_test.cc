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

}  // namespace
}  // namespace spillway::ingest
