#include "services/ingest/kafka/create_topic.h"

#include "absl/strings/str_cat.h"
#include "services/ingest/kafka/client_config.h"
#include "services/ingest/kafka/handles.h"
#include "services/ingest/kafka/kafka_error.h"

namespace spillway::ingest {

absl::Status CreateTopic(KafkaClient& client, const NewTopic& topic,
                         std::chrono::milliseconds timeout) {
  const auto millis = static_cast<int>(timeout.count());
  char problem[256] = "";
  const NewTopicHandle wanted(rd_kafka_NewTopic_new(topic.name.c_str(), 1,
                                                    topic.replication == 0 ? -1 : topic.replication,
                                                    problem, sizeof problem));
  if (!wanted) return absl::InvalidArgumentError(problem);
  if (topic.compacted) rd_kafka_NewTopic_set_config(wanted.get(), "cleanup.policy", "compact");
  const AdminOptionsHandle options(
      rd_kafka_AdminOptions_new(client.get(), RD_KAFKA_ADMIN_OP_CREATETOPICS));
  rd_kafka_AdminOptions_set_request_timeout(options.get(), millis, problem, sizeof problem);
  rd_kafka_AdminOptions_set_operation_timeout(options.get(), millis, problem, sizeof problem);
  const QueueHandle queue(rd_kafka_queue_new(client.get()));
  rd_kafka_NewTopic_t* topics[] = {wanted.get()};
  rd_kafka_CreateTopics(client.get(), topics, 1, options.get(), queue.get());
  const EventHandle event(rd_kafka_queue_poll(queue.get(), millis + 100));
  if (!event) return absl::DeadlineExceededError("no answer from Kafka");
  if (const rd_kafka_resp_err_t error = rd_kafka_event_error(event.get());
      error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return ToStatus(error, "creating the topic");
  }
  size_t count = 0;
  const rd_kafka_topic_result_t** results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
  if (count != 1) return absl::UnknownError("no answer about the topic");
  const rd_kafka_resp_err_t error = rd_kafka_topic_result_error(results[0]);
  if (error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) return absl::AlreadyExistsError(topic.name);
  const char* text = rd_kafka_topic_result_error_string(results[0]);
  return ToStatus(error, absl::StrCat("creating the topic", text == nullptr ? "" : ": ",
                                      text == nullptr ? "" : text));
}

}  // namespace spillway::ingest
