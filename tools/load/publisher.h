#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "services/ingest/kafka/producer.h"
#include "tools/load/latency_histogram.h"

namespace spillway::load {

// A thread that produces records to one topic, either at a fixed rate whatever Kafka and the rest
// do meanwhile (open loop: a record that is sent late still says when it was due), or as fast as
// Kafka takes them.
//
// A record is {"c":CHANNEL,"t":NS,"n":NUMBER,"pad":"..."}: NS is steady_clock's time at which it
// was due. Records go to the partitions in turn. Owned by main; its methods may be called from any
// thread.
class Publisher {
 public:
  struct Options {
    std::string brokers;
    std::string topic;
    int32_t partitions = 1;
    double rate = 0;  // records a second; 0: as fast as possible
    uint64_t records = 0;
    size_t bytes = 128;  // of a record's value, at least what its members need
    // Every n-th record goes to `channel`, the others to `other_channel`; so does the last one of
    // each partition, so that a receiver sees the end.
    uint64_t every = 1;
    std::string channel;
    std::string other_channel;
    int linger_ms = 0;
  };

  static absl::StatusOr<std::unique_ptr<Publisher>> Create(const Options& options);
  ~Publisher();  // stops it; what Kafka has not confirmed within 5 s is given up
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;

  void Start();
  // All records were sent, and confirmed or given up.
  bool done() const { return done_.load(std::memory_order_acquire); }

  uint64_t sent() const { return sent_.load(std::memory_order_relaxed); }
  // Confirmed by Kafka: all of them, and those for `channel`.
  uint64_t confirmed() const { return confirmed_.load(std::memory_order_relaxed); }
  uint64_t confirmed_for_channel() const { return for_channel_.load(std::memory_order_relaxed); }
  uint64_t failed() const { return failed_.load(std::memory_order_relaxed); }
  // From due time to Kafka's confirmation, of records due at or after `ns` (steady_clock). The
  // histogram may be read once done().
  void CountConfirmationsFrom(int64_t ns) { count_due_from_ns_.store(ns); }
  const LatencyHistogram& confirmations() const { return confirmations_; }
  // Longest time by which a record was sent after it was due.
  int64_t max_late_ns() const { return max_late_ns_.load(std::memory_order_relaxed); }

 private:
  explicit Publisher(const Options& options) : options_(options) {}

  void Run();
  bool IsForChannel(uint64_t number) const;
  void Compose(uint64_t number, int64_t due_ns, std::string* value) const;
  void Produce(uint64_t number, int64_t due_ns, std::string* value);

  const Options options_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> done_{false};
  std::atomic<uint64_t> sent_{0};
  std::atomic<uint64_t> confirmed_{0};
  std::atomic<uint64_t> for_channel_{0};
  std::atomic<uint64_t> failed_{0};
  std::atomic<int64_t> max_late_ns_{0};
  std::atomic<int64_t> count_due_from_ns_{INT64_MAX};
  LatencyHistogram confirmations_;  // written by the producer's thread
  std::unique_ptr<ingest::Producer> producer_;
  std::thread thread_;
};

}  // namespace spillway::load
