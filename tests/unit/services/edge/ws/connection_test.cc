#include "services/edge/ws/connection.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "services/edge/ws/connection_set.h"
#include "tests/unit/services/edge/ws/client_frames.h"
#include "tests/unit/services/edge/ws/connection_fixture.h"

namespace spillway::edge::ws {
namespace {

TEST_F(ConnectionTest, OneTurnIsOneWrite) {
  Open();
  Turn([&] {
    for (int i = 0; i < 50; ++i) Send("m");
    EXPECT_EQ(peer_.writes, 0);
    EXPECT_EQ(script_.transport->backlog_messages(), 50u);
    EXPECT_EQ(script_.transport->backlog_bytes(), 150u);
  });
  EXPECT_EQ(peer_.writes, 1);
  EXPECT_EQ(peer_.largest_gather, 50u);
  EXPECT_EQ(script_.transport->backlog_bytes(), 0u);
  EXPECT_EQ(counters_.frames_out.Value(), 50u);
}

TEST_F(ConnectionTest, LongTurnsTakeSeveralGatherWrites) {
  options_.backlog.messages = 10000;
  options_.backlog.bytes = 1 << 20;
  Rebuild();
  Open();
  std::string expected;
  Turn([&] {
    for (int i = 0; i < 2500; ++i) {
      Send(std::to_string(i));
      expected += Text(std::to_string(i));
    }
  });
  EXPECT_EQ(peer_.writes, 3);
  EXPECT_EQ(peer_.largest_gather, 1024u);
  EXPECT_EQ(peer_.written, expected);
}

TEST_F(ConnectionTest, WhatTheKernelRefusesWaitsInOrder) {
  Open();
  peer_.room = 5;
  Turn([&] {
    Send("aaaa");
    Send("bbbb");
  });
  EXPECT_TRUE(loop_.writes_watched);
  Turn([&] { Send("cccc"); });
  EXPECT_EQ(script_.transport->backlog_messages(), 3u);
  EXPECT_EQ(script_.transport->backlog_bytes(), 13 + 3 * Backlog::kNodeCost + Backlog::kStateCost);
  Writable(8);
  EXPECT_TRUE(loop_.writes_watched);
  Writable(1000);
  EXPECT_FALSE(loop_.writes_watched);
  EXPECT_EQ(peer_.written, Text("aaaa") + Text("bbbb") + Text("cccc"));
  EXPECT_EQ(counters_.frames_out.Value(), 3u);
  EXPECT_EQ(counters_.backlog.bytes.Value(), 0);
}

TEST_F(ConnectionTest, FramesOutliveTheirTurnInTheBacklog) {
  Open();
  peer_.room = 0;
  Turn([&] { Send("kept"); });  // the caller's reference is gone at the turn's end
  Writable(1000);
  EXPECT_EQ(peer_.written, Text("kept"));
}

TEST_F(ConnectionTest, SendingOutsideATurnAsksForOne) {
  Open();
  Send("later");
  EXPECT_TRUE(loop_.turn_requested);
  EXPECT_EQ(peer_.written, "");
  Settle();
  EXPECT_EQ(peer_.written, Text("later"));
}

TEST_F(ConnectionTest, ABurstInOneTurnIsNotSlowness) {
  Open();
  Turn([&] {
    for (int i = 0; i < 1000; ++i) Send("0123456789");
  });
  EXPECT_EQ(peer_.written.size(), 12000u);
  EXPECT_EQ(counters_.slow_closes.Value(), 0u);
}

TEST_F(ConnectionTest, SlowConsumersAreClosed) {
  Open();
  peer_.room = 4;
  Turn([&] { Send("begun"); });
  Turn([&] {
    for (int i = 0; i < 200; ++i) Send("0123456789");
    EXPECT_EQ(script_.log, Log{"open"});  // never called from within Send()
  });
  ASSERT_EQ(script_.log.size(), 2u);
  EXPECT_EQ(script_.log[1].substr(0, 12), "closed:4008:");
  EXPECT_TRUE(script_.destroyed);
  EXPECT_EQ(counters_.slow_closes.Value(), 1u);
  Writable(1000);
  // The frame that was begun is finished, the rest dropped.
  EXPECT_EQ(peer_.written.substr(0, 7), Text("begun"));
  EXPECT_EQ(peer_.written.substr(7, 4),
            CloseFrame(4008, "too slow: read faster, or subscribe to less").substr(0, 4));
  EXPECT_TRUE(peer_.write_shut);
  EXPECT_FALSE(peer_.closed);  // reads until the peer is done, or the timeout
  Pass(std::chrono::milliseconds(1100));
  EXPECT_TRUE(peer_.closed);
  EXPECT_EQ(set_->size(), 0u);
}

TEST_F(ConnectionTest, AFrameLargerThanTheBoundGoesAlone) {
  Open();
  peer_.room = 10;
  Turn([&] { Send(std::string(5000, 'x')); });
  EXPECT_EQ(counters_.slow_closes.Value(), 0u);
  Turn([&] { Send("y"); });
  EXPECT_EQ(counters_.slow_closes.Value(), 1u);
}

TEST_F(ConnectionTest, TellsWhenTheBacklogFellBelowHalf) {
  options_.backlog.bytes = 2000;
  Rebuild();
  Open();
  peer_.room = 0;
  Turn([&] { Send(std::string(100, 'x')); });
  Writable(10000);
  Settle();
  EXPECT_EQ(script_.log, Log{"open"});  // was never above
  peer_.room = 0;
  Turn([&] { Send(std::string(700, 'x')); });
  Writable(100);
  Settle();
  EXPECT_EQ(script_.log, Log{"open"});  // is above still
  Writable(200);
  EXPECT_EQ(script_.log, Log{"open"});  // a later turn
  Settle();
  EXPECT_EQ(script_.log, (Log{"open", "writable"}));
}

TEST_F(ConnectionTest, APullerGoesOnThoughTheKernelTookAll) {
  Open();
  int left = 10;
  script_.on_writable = [&] {
    while (left > 0 && script_.transport->backlog_bytes() <= 500) {
      --left;
      Send(std::string(200, 'x'));
    }
  };
  Turn(script_.on_writable);
  Settle();
  EXPECT_EQ(left, 0);
  EXPECT_EQ(peer_.written.size(), 10 * 204u);
}

TEST_F(ConnectionTest, AnswersPings) {
  Open();
  Receive(ClientFrame(0x89, "are you there"));
  EXPECT_EQ(peer_.written,
            "\x8A\x0D"
            "are you there");
  EXPECT_EQ(script_.log, Log{"open"});
  Receive(ClientFrame(0x8A, ""));
  EXPECT_EQ(script_.log, (Log{"open", "pong"}));
}

TEST_F(ConnectionTest, APingTooManyIsNotAnswered) {
  script_.answers_pings = false;
  Open();
  Receive(ClientFrame(0x89, "are you there"));
  EXPECT_EQ(peer_.written, "");
}

// An "H" looks like the first byte of a close frame.
TEST_F(ConnectionTest, TheAnswerToTheHandshakeLeavesWithTheFirstFrames) {
  const std::string message = ClientFrame(0x81, "hello");
  script_.on_message = [this](std::string_view) { Send("welcome"); };
  Open(message, "HTTP/1.1 101");
  EXPECT_EQ(peer_.written, "HTTP/1.1 101" + Text("welcome"));
  EXPECT_EQ(peer_.writes, 1);
  EXPECT_EQ(counters_.frames_out.Value(), 1u);
}

TEST_F(ConnectionTest, TheAnswerToTheHandshakeLeavesAlone) {
  Open("", "HTTP/1.1 101");
  EXPECT_EQ(peer_.written, "HTTP/1.1 101");
  EXPECT_EQ(counters_.frames_out.Value(), 0u);
}

TEST_F(ConnectionTest, TheAnswerToTheHandshakeStaysFirstWhenTheKernelIsFull) {
  for (const size_t room : {0u, 4u, 12u, 14u}) {
    SCOPED_TRACE(room);
    Rebuild();
    peer_ = {};
    peer_.room = room;
    script_.on_message = [this](std::string_view) { Send("welcome"); };
    Open(ClientFrame(0x81, "hello"), "HTTP/1.1 101");
    Turn([&] { Send("more"); });
    Turn([&] { script_.transport->Close(1000, "bye"); });
    const uint64_t frames = counters_.frames_out.Value();
    Writable(1'000);
    EXPECT_EQ(peer_.written,
              "HTTP/1.1 101" + Text("welcome") + Text("more") + CloseFrame(1000, "bye"));
    EXPECT_EQ(counters_.frames_out.Value() - frames, 3u);
  }
}

TEST_F(ConnectionTest, ReadsWhatCameWithTheHandshake) {
  Open(ClientFrame(0x81, "early") + ClientFrame(0x81, "cut").substr(0, 4));
  Receive(ClientFrame(0x81, "cut").substr(4));
  EXPECT_EQ(script_.log, (Log{"open", "text:early", "text:cut"}));
}

TEST_F(ConnectionTest, ThePeersCloseIsEchoed) {
  Open();
  Turn([&] { Send("last"); });
  Receive(ClientFrame(0x88, ClosePayload(4321, "done")));
  EXPECT_EQ(peer_.written, Text("last") + CloseFrame(4321));
  EXPECT_EQ(script_.log, (Log{"open", "closed:4321:done"}));
  EXPECT_TRUE(peer_.closed);
  EXPECT_EQ(set_->size(), 0u);
}

TEST_F(ConnectionTest, OurCloseWaitsForThePeers) {
  Open();
  Turn([&] {
    Send("last");
    script_.transport->Close(1001, "restarting");
    Send("too late");
  });
  EXPECT_EQ(peer_.written, Text("last") + CloseFrame(1001, "restarting"));
  EXPECT_EQ(script_.log, Log{"open"});
  Receive(ClientFrame(0x81, "unheard") + ClientFrame(0x89, "unanswered"));
  EXPECT_EQ(script_.log, Log{"open"});
  Receive(ClientFrame(0x88, ClosePayload(1001)));
  EXPECT_EQ(script_.log, (Log{"open", "closed:1001:"}));
  EXPECT_EQ(peer_.written, Text("last") + CloseFrame(1001, "restarting"));
  EXPECT_TRUE(peer_.closed);
}

TEST_F(ConnectionTest, ASilentPeerIsNotWaitedForForever) {
  Open();
  Turn([&] { script_.transport->Close(4009, "out"); });
  Pass(std::chrono::milliseconds(900));
  EXPECT_FALSE(peer_.closed);
  Pass(std::chrono::milliseconds(300));
  EXPECT_EQ(script_.log, (Log{"open", "closed:4009:out"}));
  EXPECT_TRUE(peer_.closed);
}

TEST_F(ConnectionTest, ProtocolErrorsFailTheConnection) {
  Open();
  Receive(ClientFrame(0x83, "?"));
  EXPECT_EQ(peer_.written, CloseFrame(1002, "unknown opcode"));
  EXPECT_EQ(script_.log, (Log{"open", "closed:1002:unknown opcode"}));
  EXPECT_EQ(counters_.protocol_errors.Value(), 1u);
  EXPECT_EQ(counters_.too_big.Value(), 0u);
  EXPECT_TRUE(peer_.write_shut);
  Receive(ClientFrame(0x81, "ignored"));
  peer_.end = true;
  Receive("");
  EXPECT_TRUE(peer_.closed);
  EXPECT_EQ(script_.log.size(), 2u);
}

TEST_F(ConnectionTest, AMessageThatIsTooBigIsCountedForItself) {
  options_.max_message_bytes = 1000;
  Rebuild();
  Open();
  Receive(ClientFrame(0x81, std::string(1001, 'x')));
  EXPECT_EQ(peer_.written, CloseFrame(1009, "message too big"));
  EXPECT_EQ(counters_.protocol_errors.Value(), 1u);
  EXPECT_EQ(counters_.too_big.Value(), 1u);
}

TEST_F(ConnectionTest, ALostPeerIsAnAbnormalEnd) {
  Open();
  peer_.end = true;
  Receive("");
  EXPECT_EQ(script_.log, (Log{"open", "closed:1006:"}));
  EXPECT_TRUE(peer_.closed);
}

TEST_F(ConnectionTest, ABrokenSocketIsFoundWhenWriting) {
  Open();
  peer_.broken = true;
  Turn([&] { Send("x"); });
  EXPECT_EQ(script_.log, (Log{"open", "closed:1006:"}));
  EXPECT_EQ(set_->size(), 0u);
}

TEST_F(ConnectionTest, AHandlerMayCloseFromWithinAMessage) {
  Open();
  script_.on_message = [&](std::string_view) { script_.transport->Close(4004, "no such command"); };
  Receive(ClientFrame(0x81, "first") + ClientFrame(0x81, "second"));
  EXPECT_EQ(script_.log, (Log{"open", "text:first"}));
  EXPECT_EQ(peer_.written, CloseFrame(4004, "no such command"));
}

TEST_F(ConnectionTest, LongReasonsAreCutAtACharacter) {
  Open();
  Turn([&] { script_.transport->Close(1011, std::string(122, 'x') + "\xC3\xA4"); });
  EXPECT_EQ(peer_.written, CloseFrame(1011, std::string(122, 'x')));
}

TEST_F(ConnectionTest, OneThatCannotBeWatchedEnds) {
  loop_.can_watch = false;
  Open();
  EXPECT_EQ(script_.log, (Log{"open", "closed:1011:internal_error"}));
  EXPECT_TRUE(peer_.closed);
}

TEST_F(ConnectionTest, TheSetClosesAll) {
  Open();
  Turn([&] { set_->CloseAll(kCloseGoingAway, "bye"); });
  EXPECT_EQ(peer_.written, CloseFrame(1001, "bye"));
  Turn([&] { set_->AbortAll(kCloseGoingAway); });
  EXPECT_EQ(script_.log, (Log{"open", "closed:1001:bye"}));
  EXPECT_EQ(counters_.opened.Value(), 1u);
  EXPECT_EQ(counters_.ended.Value(), 1u);
}

TEST_F(ConnectionTest, OneThatComesAfterShutdownIsClosed) {
  Turn([&] { set_->ShutDown(kCloseGoingAway, "bye"); });
  Open();
  EXPECT_EQ(peer_.written, CloseFrame(1001, "bye"));
}

TEST(ConnectionSizeTest, AnIdleConnectionIsSmall) { EXPECT_LE(sizeof(Connection), 320u); }

}  // namespace
}  // namespace spillway::edge::ws
