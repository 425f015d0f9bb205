#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "common/config/loader.h"
#include "services/ingest/app/ingest_app.h"
#include "services/ingest/kafka/embedded_broker.h"
#include "tests/support/temp_dir.h"

namespace spillway::ingest {

// An ingest in this process over a mock broker that outlives it.
class TestIngest {
 public:
  // `yaml` is the body of the `ingest:` section beside the addresses.
  explicit TestIngest(const std::string& yaml, const std::string& listen = "127.0.0.1:0")
      : app_(std::make_unique<IngestApp>(Clock::Real())) {
    const std::string path = dir_.Write("ingest.yaml",
                                        "ingest:\n"
                                        "  listen: " +
                                            listen +
                                            "\n"
                                            "  ops_listen: 127.0.0.1:0\n"
                                            "  shards: 2\n" +
                                            yaml);
    config::Sources sources;
    sources.files = {path};
    sources.sections = {"ingest"};
    auto loaded = config::Load(sources, config::Environment::Real());
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    if (!loaded.ok()) return;
    const absl::Status status = app_->Start(*loaded);
    EXPECT_TRUE(status.ok()) << status;
  }

  // The same with Kafka at `broker`.
  TestIngest(const EmbeddedBroker& broker, const std::string& yaml,
             const std::string& listen = "127.0.0.1:0")
      : TestIngest("  kafka: {brokers: '" + broker.bootstrap() +
                       "', properties: {fetch.wait.max.ms: '10'}}\n" + yaml,
                   listen) {}

  std::string grpc() const { return "127.0.0.1:" + std::to_string(app_->grpc_port()); }
  IngestApp& app() { return *app_; }

 private:
  test::TempDir dir_;
  std::unique_ptr<IngestApp> app_;
};

}  // namespace spillway::ingest
