#include <gtest/gtest.h>

#include <memory>

#include "services/ingest/normalise/normaliser.h"
#include "services/ingest/normalise/route_table.h"
#include "tests/support/allocations.h"

namespace spillway::ingest {
namespace {

TEST(NormaliseAllocationTest, NoneInSteadyTraffic) {
  v1::IngestConfig config;
  config.mutable_limits()->set_max_event_bytes(1 << 20);
  v1::RouteConfig& route = *config.add_routes();
  route.add_topics("t");
  route.mutable_decode()->set_format(v1::VALUE_FORMAT_JSON);
  v1::EmitConfig& emit = *route.add_emit();
  emit.add_channels("a.channel.with.a.long.name:{/symbol}");
  emit.add_channels("everything");
  emit.set_type("kind-{/kind}");
  emit.set_key("{/symbol|key}");
  emit.mutable_event_time()->set_source("/time");
  emit.mutable_payload()->add_drop("/kind");
  const auto table = RouteTable::Compile(config, {}, config::Environment::Real());
  ASSERT_TRUE(table.ok()) << table.status().message();
  const auto compiled = (*table)->Resolve("t");
  Normaliser normaliser;
  RecordInput record;
  record.value =
      R"({"symbol":"a-symbol-too-long-for-small-strings","kind":"x","time":1769846400250})";
  for (int i = 0; i < 3; ++i) normaliser.Normalise(*compiled, record);
  const size_t before = test::AllocationsSoFar().count;
  ASSERT_GT(before, 0U);  // the count does count
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(normaliser.Normalise(*compiled, record).events.size(), 1U);
  }
  EXPECT_EQ(test::AllocationsSoFar().count - before, 0U);
}

}  // namespace
}  // namespace spillway::ingest
