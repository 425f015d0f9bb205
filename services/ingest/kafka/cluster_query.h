#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/ingest/kafka/kafka_settings.h"

namespace spillway::ingest {

class KafkaClient;

// One topic as a broker describes it.
struct TopicInfo {
  std::string name;
  int32_t partitions = 0;
  absl::Status status = {};  // NOT_FOUND, PERMISSION_DENIED, ...: then partitions is 0
  // A broker's number for each partition; -1: none at the moment.
  std::vector<int32_t> leaders = {};
  // Whether Kafka removes records that others of their key replace; nothing: not known.
  std::optional<bool> compacted = std::nullopt;
};

struct ClusterInfo {
  std::string cluster_id;  // empty if the brokers don't say
  int brokers = 0;
  std::vector<TopicInfo> topics;  // by name
};

// One offset to look up.
struct OffsetQuery {
  std::string topic;
  int32_t partition = 0;
  // -2: the log's start. -1: its end. >= 0: Unix milliseconds, the first record at or after them.
  int64_t what = -1;
};
inline constexpr int64_t kLogStart = -2;
inline constexpr int64_t kLogEnd = -1;

// Blocking questions to a cluster. Each waits at most `timeout`; any thread.
//
// All topics that the client may see. UNAVAILABLE or DEADLINE_EXCEEDED when no broker answered.
absl::StatusOr<ClusterInfo> ListTopics(KafkaClient& client, std::chrono::milliseconds timeout);
// The same for a program that has no client yet.
absl::StatusOr<ClusterInfo> ListTopics(const KafkaSettings& settings,
                                       std::chrono::milliseconds timeout);
// One topic by name: tells a missing one from a denied one, which a listing just leaves out. Never
// creates it. The status of the call is about the cluster, the one in TopicInfo about the topic.
absl::StatusOr<TopicInfo> DescribeTopic(KafkaClient& client, const std::string& name,
                                        std::chrono::milliseconds timeout);

// How Kafka cleans a topic up.
struct TopicPolicy {
  std::string topic;
  bool compacted = false;    // cleanup.policy has `compact`
  absl::Status status = {};  // PERMISSION_DENIED: the right DESCRIBE_CONFIGS is missing; ...
};
// DescribeConfigs (Kafka protocol, key 32) for these topics. One policy per topic, in no order.
absl::StatusOr<std::vector<TopicPolicy>> DescribePolicies(KafkaClient& client,
                                                          const std::vector<std::string>& topics,
                                                          std::chrono::milliseconds timeout);

// ListOffsets (Kafka protocol, key 2) to the leaders of partitions; at most one query per
// partition. One leader that does not answer fails the call for all. One result per query, in
// order: an offset, or -1 when no record is as young as the time asked for. librdkafka puts the
// client's isolation.level into the request (rdkafka_request.c, rd_kafka_make_ListOffsetsRequest),
// so with read_committed the end is the last stable offset.
std::vector<absl::StatusOr<int64_t>> LookUpOffsets(KafkaClient& client,
                                                   const std::vector<OffsetQuery>& queries,
                                                   std::chrono::milliseconds timeout);

}  // namespace spillway::ingest
