#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace spillway::ingest {

// librdkafka's mock cluster inside this process: a Kafka for the demo and for tests, on free ports
// of 127.0.0.1, reachable by other processes of this host. Thread-safe. Clients of it set
// KafkaSettings::embedded_broker.
//
// Its limits (rdkafka_mock.c of librdkafka 2.0.2): keeps 5 MiB or 100,000 batches a partition and
// drops the oldest without a word; a fetch that finds nothing sleeps for its whole
// fetch.wait.max.ms; one batch per partition and fetch; no look-up by time, no admin requests, no
// isolation of transactions; topics that any client names are made with 4
// partitions.
class EmbeddedBroker {
 public:
  struct Topic {
    std::string name;
    int partitions = 1;
  };
  struct Options {
    int brokers = 1;
    std::vector<Topic> topics = {};
    // The address is written there, followed by a newline, and the file removed at the end. None if
    // empty.
    std::string bootstrap_file = {};
  };

  static absl::StatusOr<std::unique_ptr<EmbeddedBroker>> Start(const Options& options);
  ~EmbeddedBroker();
  EmbeddedBroker(const EmbeddedBroker&) = delete;
  EmbeddedBroker& operator=(const EmbeddedBroker&) = delete;

  // "127.0.0.1:PORT,..." for KafkaSettings::brokers.
  const std::string& bootstrap() const { return bootstrap_; }

  // ALREADY_EXISTS if it is there.
  absl::Status CreateTopic(std::string_view name, int partitions);

  // For tests. SetDown cuts all connections and refuses new ones; nothing stored is lost.
  void SetDown();
  void SetUp();
  // The same for one of the brokers, from 1 on; the others go on, and it still leads its
  // partitions.
  void SetBrokerDown(int broker);
  void SetBrokerUp(int broker);
  absl::Status SetLeader(std::string_view topic, int32_t partition, int broker);
  // The next requests of this kind (Kafka's API key: 0 Produce, 1 Fetch, 2 ListOffsets, 3 Metadata)
  // fail with these error codes of the protocol, one each; -195 cuts the connection.
  void PushErrors(int api_key, const std::vector<int>& errors);
  // What Metadata says about a topic, such as 29 (TOPIC_AUTHORIZATION_FAILED); 0 = nothing.
  void SetTopicError(std::string_view name, int error);

 private:
  struct Cluster;
  EmbeddedBroker();

  std::unique_ptr<Cluster> cluster_;
  std::string bootstrap_;
  std::string bootstrap_file_;
};

}  // namespace spillway::ingest
