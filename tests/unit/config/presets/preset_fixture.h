#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "common/config/loader.h"
#include "tests/unit/common/config/fake_environment.h"

namespace spillway {

// A shipped preset, loaded as the binaries do, with an environment of the test's own.
class PresetFixture : public testing::Test {
 protected:
  config::Loaded Load(const std::string& preset, const std::string& section) {
    const std::string path = "config/presets/" + preset + ".yaml";
    std::ifstream file(std::string(SPILLWAY_SOURCE_DIR) + "/" + path);
    std::ostringstream text;
    text << file.rdbuf();
    environment_.files[path] = text.str();
    config::Sources sources;
    sources.preset_folders = {"config/presets"};
    sources.presets = {preset};
    sources.sections = {section};
    auto loaded = config::Load(sources, environment_);
    EXPECT_TRUE(loaded.ok()) << loaded.status().message();
    return loaded.ok() ? *std::move(loaded) : config::Loaded();
  }

  config::FakeEnvironment environment_;
};

}  // namespace spillway
