#pragma once

#include <librdkafka/rdkafka.h>

#include <memory>

// Owners of librdkafka's C objects. Only services/ingest/kafka includes this header.
namespace spillway::ingest {

template <typename T, void (*Free)(T*)>
struct FreeWith {
  void operator()(T* object) const { Free(object); }
};

using ConfHandle =
    std::unique_ptr<rd_kafka_conf_t, FreeWith<rd_kafka_conf_t, rd_kafka_conf_destroy>>;
using TopicConfHandle =
    std::unique_ptr<rd_kafka_topic_conf_t,
                    FreeWith<rd_kafka_topic_conf_t, rd_kafka_topic_conf_destroy>>;
using TopicHandle =
    std::unique_ptr<rd_kafka_topic_t, FreeWith<rd_kafka_topic_t, rd_kafka_topic_destroy>>;
using QueueHandle =
    std::unique_ptr<rd_kafka_queue_t, FreeWith<rd_kafka_queue_t, rd_kafka_queue_destroy>>;
using EventHandle =
    std::unique_ptr<rd_kafka_event_t, FreeWith<rd_kafka_event_t, rd_kafka_event_destroy>>;
using HeadersHandle =
    std::unique_ptr<rd_kafka_headers_t, FreeWith<rd_kafka_headers_t, rd_kafka_headers_destroy>>;
using PartitionHandle =
    std::unique_ptr<rd_kafka_topic_partition_t,
                    FreeWith<rd_kafka_topic_partition_t, rd_kafka_topic_partition_destroy>>;
using PartitionListHandle = std::unique_ptr<
    rd_kafka_topic_partition_list_t,
    FreeWith<rd_kafka_topic_partition_list_t, rd_kafka_topic_partition_list_destroy>>;
using ConfigResourceHandle =
    std::unique_ptr<rd_kafka_ConfigResource_t,
                    FreeWith<rd_kafka_ConfigResource_t, rd_kafka_ConfigResource_destroy>>;
using AdminOptionsHandle =
    std::unique_ptr<rd_kafka_AdminOptions_t,
                    FreeWith<rd_kafka_AdminOptions_t, rd_kafka_AdminOptions_destroy>>;
using NewTopicHandle =
    std::unique_ptr<rd_kafka_NewTopic_t, FreeWith<rd_kafka_NewTopic_t, rd_kafka_NewTopic_destroy>>;
using ErrorHandle =
    std::unique_ptr<rd_kafka_error_t, FreeWith<rd_kafka_error_t, rd_kafka_error_destroy>>;

inline void FreeMetadata(const struct rd_kafka_metadata* metadata) {
  rd_kafka_metadata_destroy(metadata);
}
using MetadataHandle = std::unique_ptr<const struct rd_kafka_metadata,
                                       FreeWith<const struct rd_kafka_metadata, FreeMetadata>>;

// A consumer without a group has nothing to leave: closing is skipped, so that destroying one does
// not wait for a broker.
inline void FreeClient(rd_kafka_t* client) {
  rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}
using RawClientHandle = std::unique_ptr<rd_kafka_t, FreeWith<rd_kafka_t, FreeClient>>;

}  // namespace spillway::ingest
