#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "common/config/loader.h"
#include "services/ingest/normalise/normaliser.h"
#include "services/ingest/normalise/route_table.h"
#include "tests/unit/common/config/fake_environment.h"

namespace spillway::ingest {

// Routes from YAML, as the service gets them, and one normaliser.
class RouteFixture : public testing::Test {
 protected:
  // `routes` is the list below `routes:`, unindented; errors are the result's.
  absl::StatusOr<std::shared_ptr<const RouteTable>> Compile(const std::string& routes,
                                                            const std::string& more = "") {
    std::string text = "ingest:\n" + more + "  routes:\n";
    for (size_t begin = 0; begin < routes.size();) {
      const size_t end = std::min(routes.find('\n', begin), routes.size());
      text += "    " + routes.substr(begin, end - begin) + "\n";
      begin = end + 1;
    }
    environment_.files["f.yaml"] = text;
    config::Sources sources;
    sources.files = {"f.yaml"};
    auto loaded = config::Load(sources, environment_);
    if (!loaded.ok()) return loaded.status();
    return RouteTable::Compile(loaded->config.ingest(), loaded->locations, environment_);
  }

  void Use(const std::string& routes, const std::string& topic, const std::string& more = "") {
    auto table = Compile(routes, more);
    ASSERT_TRUE(table.ok()) << table.status().message();
    table_ = *table;
    route_ = table_->Resolve(topic);
    ASSERT_NE(route_, nullptr);
  }

  // One line for each event: "channel,channel type key payload", or "rejected REASON".
  std::string Run(std::optional<std::string_view> value, std::optional<std::string_view> key = {},
                  std::vector<HeaderView> headers = {}) {
    RecordInput record;
    record.value = value;
    record.key = key;
    record.headers = headers;
    record.timestamp_ms = 1000;
    const NormaliseResult result = normaliser_.Normalise(*route_, record);
    if (result.rejected) return "rejected " + result.Describe();
    std::string out;
    events_.clear();
    for (const NormalisedEvent& event : result.events) {
      events_.push_back(event);
      if (!out.empty()) out += "\n";
      std::string channels;
      for (const std::string_view channel : event.event.channels) {
        channels += (channels.empty() ? "" : ",") + std::string(channel);
      }
      out += channels + " " + std::string(event.event.type) + " " + std::string(event.event.key) +
             " " + (event.event.tombstone ? "TOMBSTONE" : std::string(event.event.payload));
    }
    return out;
  }

  config::FakeEnvironment environment_;
  std::shared_ptr<const RouteTable> table_;
  std::shared_ptr<const CompiledRoute> route_;
  Normaliser normaliser_;
  std::vector<NormalisedEvent> events_;  // of the last Run; views hold until the next
};

}  // namespace spillway::ingest
