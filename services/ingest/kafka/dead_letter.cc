#include "services/ingest/kafka/dead_letter.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace spillway::ingest {

DeadLetter::DeadLetter(Producer& producer, Options options)
    : producer_(producer), options_(std::move(options)), state_(std::make_shared<State>()) {}

void DeadLetter::Send(std::string_view topic, int32_t partition, const RecordView& record,
                      std::string_view reason) {
  const auto bytes = static_cast<int64_t>((record.key ? record.key->size() : 0) +
                                          (record.value ? record.value->size() : 0));
  State& state = *state_;
  const int64_t count = state.in_flight.fetch_add(1, std::memory_order_relaxed) + 1;
  const int64_t total = state.in_flight_bytes.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  bool accepted =
      count <= options_.max_in_flight && (total <= options_.max_in_flight_bytes || count == 1);
  if (accepted) {
    ProduceRequest request;
    request.topic = options_.topic;
    request.key = record.key;
    request.value = record.value;
    request.headers = {{"spillway.reason", std::string(reason)},
                       {"spillway.source.topic", std::string(topic)},
                       {"spillway.source.partition", absl::StrCat(partition)},
                       {"spillway.source.offset", absl::StrCat(record.offset)}};
    std::vector<RecordHeader> headers;
    record.ReadHeaders(&headers);
    for (const RecordHeader& header : headers)
      request.headers.emplace_back(header.name, header.value.value_or(""));
    accepted = producer_
                   .Produce(request,
                            [shared = state_, bytes](const absl::StatusOr<ProducedAt>& result) {
                              shared->in_flight.fetch_sub(1, std::memory_order_relaxed);
                              shared->in_flight_bytes.fetch_sub(bytes, std::memory_order_relaxed);
                              (result.ok() ? shared->counters.sent : shared->counters.failed).Add();
                            })
                   .ok();
  }
  if (accepted) return;
  state.in_flight.fetch_sub(1, std::memory_order_relaxed);
  state.in_flight_bytes.fetch_sub(bytes, std::memory_order_relaxed);
  state.counters.dropped.Add();
}

}  // namespace spillway::ingest
