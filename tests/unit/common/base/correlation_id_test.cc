#include "common/base/correlation_id.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace spillway {
namespace {

constexpr char kTrace[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

std::string Given(const std::map<std::string, std::string, std::less<>>& headers) {
  return std::string(GivenCorrelationId([&](std::string_view name) -> std::string_view {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string_view() : std::string_view(found->second);
  }));
}

TEST(CorrelationId, IsWhatTheCallerSays) {
  EXPECT_EQ(Given({{"x-correlation-id", "abc-1"}, {"x-request-id", "r"}, {"traceparent", kTrace}}),
            "abc-1");
  EXPECT_EQ(Given({{"x-request-id", "r"}, {"traceparent", kTrace}}), "r");
  EXPECT_EQ(Given({{"traceparent", kTrace}}), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(Given({}), "");
}

TEST(CorrelationId, WhatMayNotBeShownIsPassedOver) {
  for (const std::string& bad :
       {std::string("a b"), std::string("a\r\nx: y"), std::string("\"quoted\""),
        std::string("nul\0", 4), std::string("caf\xc3\xa9"), std::string("<b>"),
        std::string(129, 'a'), std::string("a;b"), std::string("a,b")}) {
    EXPECT_FALSE(IsCorrelationId(bad)) << bad;
    EXPECT_EQ(Given({{"x-correlation-id", bad}, {"x-request-id", "r"}}), "r");
  }
  EXPECT_TRUE(IsCorrelationId(std::string(128, 'a')));
  EXPECT_TRUE(IsCorrelationId("Root=1-67891233-abcdef012345678912345678"));
}

TEST(CorrelationId, OnlyAWellFormedTraceparentCounts) {
  EXPECT_EQ(TraceIdOf("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-later"),
            "4bf92f3577b34da6a3ce929d0e0e4736");
  for (const char* bad : {"", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
                          "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                          "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                          "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
                          "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
                          "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}) {
    EXPECT_EQ(TraceIdOf(bad), "") << bad;
  }
}

TEST(CorrelationId, HexOfBytes) {
  const uint8_t bytes[] = {0x00, 0xAB, 0x7F};
  EXPECT_EQ(HexId(bytes, 3), "00ab7f");
}

}  // namespace
}  // namespace spillway
