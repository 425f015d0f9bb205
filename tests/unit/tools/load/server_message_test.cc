#include "tools/load/server_message.h"

#include <gmock/gmock.h>

namespace spillway::load {
namespace {

TEST(ServerMessageTest, ReadsAnEvent) {
  const ServerMessage message = ReadServerMessage(
      R"({"type":"event","channel":"load:fan","event":"load","slot":3,"offset":124,"time":1767225600123,)"
      R"("data":{"c":"fan","t":123456789012,"n":7,"pad":"xx"}})");
  EXPECT_EQ(message.kind, ServerMessage::Kind::kEvent);
  EXPECT_EQ(message.channel, "load:fan");
  EXPECT_EQ(message.slot, 3);
  EXPECT_EQ(message.offset, 124);
  EXPECT_EQ(message.due_ns, 123456789012);
}

TEST(ServerMessageTest, AnEventOfSomebodyElseHasNoDueTime) {
  const ServerMessage message = ReadServerMessage(
      R"({"type":"event","channel":"c","event":"t","slot":0,"offset":0,"time":null,"data":{"a":1}})");
  EXPECT_EQ(message.kind, ServerMessage::Kind::kEvent);
  EXPECT_EQ(message.offset, 0);
  EXPECT_EQ(message.due_ns, -1);
}

TEST(ServerMessageTest, KnowsTheOthers) {
  using Kind = ServerMessage::Kind;
  EXPECT_EQ(ReadServerMessage(R"({"type":"connected","connection":"a"})").kind, Kind::kConnected);
  EXPECT_EQ(ReadServerMessage(R"({"type":"subscribed","channel":"c"})").kind, Kind::kSubscribed);
  EXPECT_EQ(ReadServerMessage(R"({"type":"gap","channel":"c"})").kind, Kind::kGap);
  EXPECT_EQ(ReadServerMessage(R"({"type":"ping","time":1})").kind, Kind::kPing);
  EXPECT_EQ(ReadServerMessage(R"({"type":"error","code":"bad"})").kind, Kind::kError);
  EXPECT_EQ(ReadServerMessage(R"({"type":"checkpoint"})").kind, Kind::kOther);
  EXPECT_EQ(ReadServerMessage("{\"type\":\"event").kind, Kind::kEvent);
  EXPECT_EQ(ReadServerMessage("").kind, Kind::kOther);
}

}  // namespace
}  // namespace spillway::load
