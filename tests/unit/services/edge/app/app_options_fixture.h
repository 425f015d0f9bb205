#pragma once

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "common/config/loader.h"
#include "services/edge/app/app_endpoints.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace spillway::edge {

class AppOptionsTest : public ::testing::Test {
 protected:
  v1::EdgeConfig Config(const std::string& more) {
    config::Sources sources;
    sources.files = {dir_.Write("edge.yaml", absl::StrCat(R"(edge:
  node_id: e1
  listen: 127.0.0.1:0
  ops_listen: ""
)",
                                                          more))};
    const auto loaded = config::Load(sources, config::Environment::Real());
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    return loaded.ok() ? loaded->config.edge() : v1::EdgeConfig();
  }
  static constexpr char kEndpoint[] = "  endpoints: [{path: /ws, auth: {required: false}}]\n";
  static constexpr char kIngests[] = "  ingests: {addresses: [\"i:1\"]}\n";

  std::string EndpointError(const std::string& endpoints) {
    return EndpointError(Config(absl::StrCat(kIngests, endpoints)));
  }
  std::string EndpointError(const v1::EdgeConfig& config) {
    const auto set = EndpointSet::Create(config, clock_);
    if (set.ok()) return "ok";
    EXPECT_EQ(set.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(set.status().message());
  }

  test::TempDir dir_;
  test::FakeClock clock_;
};

}  // namespace spillway::edge
