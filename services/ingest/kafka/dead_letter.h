#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/metrics/metrics.h"
#include "services/ingest/kafka/producer.h"
#include "services/ingest/kafka/record_view.h"

namespace spillway::ingest {

// Copies records that could not be used to a topic of their own, for people to look at. A copy has
// the record's key, value and headers, and in front of them
//   spillway.reason            the stable code given
//   spillway.source.topic, spillway.source.partition, spillway.source.offset
// Send never blocks; any thread. Bounded: above Options' limits, or when the producer is full, a
// copy is dropped and counted: the record itself has been logged by the caller.
class DeadLetter {
 public:
  struct Options {
    std::string topic;
    int64_t max_in_flight = 256;
    int64_t max_in_flight_bytes = 8 << 20;
  };

  struct Counters {
    metrics::AtomicCounter sent;     // acknowledged
    metrics::AtomicCounter dropped;  // at the bounds
    metrics::AtomicCounter failed;   // refused by Kafka or not in time
  };

  // `producer` outlives this object; copies under way may outlive it.
  DeadLetter(Producer& producer, Options options);

  void Send(std::string_view topic, int32_t partition, const RecordView& record,
            std::string_view reason);

  const Counters& counters() const { return state_->counters; }

 private:
  // Shared with callbacks that are still to come.
  struct State {
    Counters counters;
    std::atomic<int64_t> in_flight{0};
    std::atomic<int64_t> in_flight_bytes{0};
  };

  Producer& producer_;
  const Options options_;
  const std::shared_ptr<State> state_;
};

}  // namespace spillway::ingest
