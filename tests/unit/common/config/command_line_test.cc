#include "common/config/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace spillway::config {
namespace {

using testing::ElementsAre;

TEST(CommandLineTest, CollectsSources) {
  const auto line = ParseCommandLine({"--config", "a", "--config=b", "--preset", "p", "--set",
                                      "x.y=z", "--presets-folder=f", "--check-config"});
  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_THAT(line->sources.files, ElementsAre("a", "b"));
  EXPECT_THAT(line->sources.presets, ElementsAre("p"));
  EXPECT_THAT(line->sources.overrides, ElementsAre("x.y=z"));
  EXPECT_THAT(line->sources.preset_folders, ElementsAre("f"));
  EXPECT_EQ(line->action, CommandLine::Action::kCheckConfig);
}

TEST(CommandLineTest, Nothing) {
  const auto line = ParseCommandLine({});
  ASSERT_TRUE(line.ok());
  EXPECT_EQ(line->action, CommandLine::Action::kRun);
}

TEST(CommandLineTest, Actions) {
  EXPECT_EQ(ParseCommandLine({"--print-metrics"})->action, CommandLine::Action::kPrintMetrics);
  EXPECT_EQ(ParseCommandLine({"--print-config"})->action, CommandLine::Action::kPrintConfig);
}

TEST(CommandLineTest, Errors) {
  EXPECT_EQ(ParseCommandLine({"--confg", "a"}).status().message(),
            "unknown argument \"--confg\"; did you mean --config?");
  EXPECT_EQ(ParseCommandLine({"--config"}).status().message(), "--config needs a value");
  EXPECT_EQ(ParseCommandLine({"whatever"}).status().message(),
            "unknown argument \"whatever\"; see --help");
}

}  // namespace
}  // namespace spillway::config
