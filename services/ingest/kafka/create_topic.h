#pragma once

#include <chrono>
#include <string>

#include "absl/status/status.h"

namespace spillway::ingest {

class KafkaClient;

struct NewTopic {
  std::string name;
  int replication = 0;     // 0: the brokers' default, which Kafka 2.4 and later knows
  bool compacted = false;  // cleanup.policy=compact; else what the brokers make
};

// Makes a topic of one partition (CreateTopics, Kafka protocol, key 19). Blocks for `timeout` at
// most; any thread. ALREADY_EXISTS; PERMISSION_DENIED: the right CREATE is missing;
// INVALID_ARGUMENT: not that many brokers, or no topic name.
absl::Status CreateTopic(KafkaClient& client, const NewTopic& topic,
                         std::chrono::milliseconds timeout);

}  // namespace spillway::ingest
