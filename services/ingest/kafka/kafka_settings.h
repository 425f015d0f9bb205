#pragma once

#include <map>
#include <memory>
#include <string>

#include "common/log/rate_limited.h"

namespace spillway::ingest {

// How to reach a Kafka cluster; a plain value, copied into every client that is made from it.
struct KafkaSettings {
  std::string brokers;    // host:port,host:port
  std::string client_id;  // shown by the brokers in logs, quotas and metrics
  std::string group_id;   // only for offset commits that lag tools read; empty turns them off
  // Any property of librdkafka (its CONFIGURATION.md), such as security.protocol or sasl.password.
  // Passed through unchanged, except those that Spillway sets itself: see client_config.h.
  std::map<std::string, std::string> properties;
  // The brokers are the embedded one, which answers a fetch only when its wait is over.
  bool embedded_broker = false;
  // What the clients have to say of trouble goes through it: shared, because a broker that is away
  // troubles them all. None: a line of a kind in 10 s.
  std::shared_ptr<log::RateLimited> log_limit = nullptr;
};

}  // namespace spillway::ingest
