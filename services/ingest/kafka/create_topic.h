#pragma once

#include <chrono>
#include <string>

#include "absl/status/status.h"

namespace spillway::ingest {

class KafkaClient;

// Makes a topic of one partition with cleanup.policy=compact (CreateTopics, Kafka protocol, key
// 19); `replication` 0: as many replicas as the brokers make by default, which Kafka 2.4 and later
// knows. Blocks for `timeout` at most; any thread. ALREADY_EXISTS; PERMISSION_DENIED: the right
// CREATE is missing; INVALID_ARGUMENT: not that many brokers, or no topic name.
absl::Status CreateCompactedTopic(KafkaClient& client, const std::string& topic, int replication,
                                  std::chrono::milliseconds timeout);

}  // namespace spillway::ingest
