#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "tests/integration/ws/beast_client.h"
#include "tests/integration/ws/test_server.h"

namespace spillway::test {
namespace {

std::string Pattern(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i * 7 % 23);
  return text;
}

TEST(WsServerTest, EchoesMessagesOfEveryLengthForm) {
  edge::net::WorkerOptions options;
  options.connection.max_message_bytes = 4 << 20;
  options.connection.backlog.bytes = 8 << 20;
  TestServer server(options);
  BeastClient client;
  ASSERT_TRUE(client.Connect(server.port()));
  for (const size_t size : {0u, 1u, 125u, 126u, 65535u, 65536u, 3000000u}) {
    for (const bool text : {true, false}) {
      ASSERT_TRUE(client.Send(Pattern(size), text));
      const ClientResult result = client.Receive();
      ASSERT_TRUE(result.ok) << size;
      EXPECT_EQ(result.payload, Pattern(size));
      EXPECT_EQ(result.text, text);
    }
  }
  ASSERT_TRUE(client.SendFragmented(Pattern(10000), 333));
  EXPECT_EQ(client.Receive().payload, Pattern(10000));
}

TEST(WsServerTest, SpeaksPermessageDeflate) {
  edge::net::WorkerOptions options;
  options.deflate = true;
  TestServer server(options);
  BeastClient client;
  BeastClient::Options with;
  with.deflate = true;
  ASSERT_TRUE(client.Connect(server.port(), with));
  EXPECT_EQ(client.response_header("Sec-WebSocket-Extensions").substr(0, 18), "permessage-deflate");
  for (const size_t size : {0u, 10u, 60000u}) {
    ASSERT_TRUE(client.Send(Pattern(size)));
    EXPECT_EQ(client.Receive().payload, Pattern(size));
  }
  BeastClient plain;
  ASSERT_TRUE(plain.Connect(server.port()));
  EXPECT_EQ(plain.response_header("Sec-WebSocket-Extensions"), "");
}

TEST(WsServerTest, AnswersPingsAndSubprotocols) {
  TestServer server;
  BeastClient client;
  BeastClient::Options options;
  options.subprotocol = "spillway.json";
  ASSERT_TRUE(client.Connect(server.port(), options));
  EXPECT_EQ(client.response_header("Sec-WebSocket-Protocol"), "spillway.json");
  ASSERT_TRUE(client.Ping("there?"));
  ASSERT_TRUE(client.Send("after"));
  EXPECT_EQ(client.Receive().payload, "after");
  EXPECT_EQ(client.last_pong(), "there?");
}

TEST(WsServerTest, ClosesInEveryDirection) {
  TestServer server;
  BeastClient closes;
  ASSERT_TRUE(closes.Connect(server.port()));
  EXPECT_TRUE(closes.Close(3999));
  ASSERT_TRUE(server.WaitForClosed(1));

  BeastClient is_closed;
  ASSERT_TRUE(is_closed.Connect(server.port()));
  ASSERT_TRUE(is_closed.Send("close me"));
  const ClientResult result = is_closed.Receive();
  EXPECT_EQ(result.close_code, 4009);
  EXPECT_EQ(result.close_reason, "as you wish");
  ASSERT_TRUE(server.WaitForClosed(2));

  BeastClient vanishes;
  ASSERT_TRUE(vanishes.Connect(server.port()));
  vanishes.Abandon();
  ASSERT_TRUE(server.WaitForClosed(3));
  EXPECT_EQ(server.closed(), (std::vector<uint16_t>{3999, 4009, 1006}));
}

TEST(WsServerTest, MessagesAboveTheLimitAreRefused) {
  TestServer server;  // 64 KiB
  BeastClient client;
  ASSERT_TRUE(client.Connect(server.port()));
  client.Send(Pattern(65537));
  EXPECT_EQ(client.Receive().close_code, 1009);
}

TEST(WsServerTest, ASlowConsumerIsClosedAndOthersAreNot) {
  edge::net::WorkerOptions options;
  options.connection.backlog.bytes = 64 * 1024;
  options.connection.backlog.messages = 1000;
  options.connection.close_timeout = std::chrono::milliseconds(300);
  TestServer server(options, 1);
  BeastClient slow;
  BeastClient::Options small;
  small.receive_buffer = 4096;
  ASSERT_TRUE(slow.Connect(server.port(), small));
  BeastClient other;
  ASSERT_TRUE(other.Connect(server.port()));
  const auto slow_closes = [&] { return server.pool().worker(0).counters().slow_closes.Value(); };
  for (int i = 0; i < 50 && slow_closes() == 0; ++i) {
    ASSERT_TRUE(slow.Send("flood"));
    ASSERT_TRUE(other.Send("still here"));
    EXPECT_EQ(other.Receive().payload, "still here");
  }
  ASSERT_TRUE(server.WaitForClosed(1));
  EXPECT_EQ(server.closed()[0], 4008);
  EXPECT_EQ(slow_closes(), 1u);
}

TEST(WsServerTest, ReadersGetAFloodInOrderThroughTheBacklog) {
  edge::net::WorkerOptions options;
  options.connection.backlog.bytes = 64 << 20;
  options.connection.backlog.messages = 1 << 20;
  TestServer server(options, 1);
  BeastClient client;
  ASSERT_TRUE(client.Connect(server.port()));
  ASSERT_TRUE(client.Send("flood"));
  ASSERT_TRUE(client.Send("last"));
  for (int i = 0; i < 100000; ++i) ASSERT_EQ(client.Receive().payload, "flood");
  EXPECT_EQ(client.Receive().payload, "last");
  const auto& counters = server.pool().worker(0).counters();
  EXPECT_EQ(counters.frames_out.Value(), 100001u);
  EXPECT_LT(counters.writes.Value(), 10000u);
}

TEST(WsServerTest, PostedTasksRunOnTheirWorkerInOrder) {
  TestServer server;
  std::promise<std::vector<int>> done;
  auto ran = std::make_shared<std::vector<int>>();
  for (int i = 0; i < 1000; ++i) {
    server.pool().worker(1).Post([ran, i] { ran->push_back(i); });
  }
  server.pool().worker(1).Post([&done, ran] { done.set_value(*ran); });
  const std::vector<int> result = done.get_future().get();
  EXPECT_EQ(result.size(), 1000u);
  EXPECT_TRUE(std::is_sorted(result.begin(), result.end()));
}

// What is sent is written at the end of the turn: until then the frame must be there.
TEST(WsServerTest, WhatATaskHoldsLivesToTheEndOfItsTurn) {
  TestServer server({}, 1);
  BeastClient client;
  ASSERT_TRUE(client.Connect(server.port()));
  ASSERT_TRUE(client.Send("x"));
  EXPECT_EQ(client.Receive().payload, "x");

  // How many frames are written from when it is sent to when it ends.
  struct Held {
    explicit Held(const edge::ws::WorkerCounters& worker) : counters(worker) {}
    ~Held() { written.set_value(counters.frames_out.Value() - before); }
    const edge::ws::WorkerCounters& counters;
    Ref<edge::Frame> frame = edge::Frame::Make(edge::Opcode::kText, "held", false);
    uint64_t before = 0;
    std::promise<uint64_t> written;
  };
  auto held = std::make_shared<Held>(server.pool().worker(0).counters());
  std::future<uint64_t> written = held->written.get_future();
  server.pool().worker(0).Post([connection = server.last_opened.load(), held = std::move(held)] {
    held->before = held->counters.frames_out.Value();
    connection->Send(*held->frame, nullptr);
  });
  EXPECT_EQ(client.Receive().payload, "held");
  EXPECT_EQ(written.get(), 1u);
}

TEST(WsServerTest, TimersFireOnTheWorker) {
  TestServer server;
  std::promise<void> fired;
  auto timer = std::make_unique<edge::Timer>(
      [](void* promise) { static_cast<std::promise<void>*>(promise)->set_value(); }, &fired);
  edge::net::Worker& worker = server.pool().worker(0);
  worker.Post([&] { worker.wheel().Set(*timer, std::chrono::milliseconds(150)); });
  EXPECT_EQ(fired.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
}

TEST(WsServerTest, ManyClientsShareTheWorkers) {
  TestServer server;
  std::vector<std::unique_ptr<BeastClient>> clients;
  for (int i = 0; i < 100; ++i) {
    clients.push_back(std::make_unique<BeastClient>());
    ASSERT_TRUE(clients.back()->Connect(server.port()));
  }
  for (auto& client : clients) ASSERT_TRUE(client->Send("all"));
  for (auto& client : clients) EXPECT_EQ(client->Receive().payload, "all");
  EXPECT_EQ(server.pool().connections(), 100u);
  EXPECT_GT(server.upgrades_by_worker[0], 0);
  EXPECT_GT(server.upgrades_by_worker[1], 0);
}

TEST(WsServerTest, StoppingTellsClientsToGoAway) {
  TestServer server;
  BeastClient client;
  ASSERT_TRUE(client.Connect(server.port()));
  ASSERT_TRUE(client.Send("open"));
  ASSERT_TRUE(client.Receive().ok);
  std::future<ClientResult> result =
      std::async(std::launch::async, [&] { return client.Receive(); });
  server.pool().Stop(std::chrono::seconds(5));
  EXPECT_EQ(result.get().close_code, 1001);
  EXPECT_EQ(server.closed(), std::vector<uint16_t>{1001});
  BeastClient late;
  EXPECT_FALSE(late.Connect(server.port()));
}

TEST(WsServerTest, StoppingInTheMiddleOfAHandshakeLeavesNobodyWaiting) {
  TestServer server;
  BeastClient client;
  ASSERT_TRUE(client.Connect(server.port()));  // the server may not know of it yet
  std::future<ClientResult> result =
      std::async(std::launch::async, [&] { return client.Receive(); });
  server.pool().Stop(std::chrono::seconds(5));
  EXPECT_FALSE(result.get().ok);
}

TEST(WsServerTest, StoppingDoesNotWaitForSilentClients) {
  TestServer server;
  BeastClient silent;  // never reads, so never answers the close frame
  ASSERT_TRUE(silent.Connect(server.port()));
  ASSERT_TRUE(silent.Send("open"));
  ASSERT_TRUE(silent.Receive().ok);
  server.pool().Stop(std::chrono::milliseconds(50));
  EXPECT_EQ(server.closed(), std::vector<uint16_t>{1001});
}

}  // namespace
}  // namespace spillway::test
