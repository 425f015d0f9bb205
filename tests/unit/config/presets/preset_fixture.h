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
    return Load(std::vector<std::string>{preset}, section);
  }
  // Several, the later over the earlier.
  config::Loaded Load(const std::vector<std::string>& presets, const std::string& section) {
    for (const std::string& preset : presets) {
      const std::string path = "config/presets/" + preset + ".yaml";
      std::ifstream file(std::string(SPILLWAY_SOURCE_DIR) + "/" + path);
      std::ostringstream text;
      text << file.rdbuf();
      environment_.files[path] = text.str();
    }
    config::Sources sources;
    sources.preset_folders = {"config/presets"};
    sources.presets = presets;
    sources.sections = {section};
    auto loaded = config::Load(sources, environment_);
    EXPECT_TRUE(loaded.ok()) << loaded.status().message();
    return loaded.ok() ? *std::move(loaded) : config::Loaded();
  }

  config::FakeEnvironment environment_;
};

}  // namespace spillway
