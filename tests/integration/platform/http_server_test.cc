#include "common/http/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <thread>

#include "common/http/json_error.h"
#include "tests/support/raw_client.h"

namespace spillway::http {
namespace {

using std::chrono::milliseconds;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

class HttpServerTest : public testing::Test {
 protected:
  void StartServer() {
    Routes routes;
    routes.Add("/hello", [](const Request& request) {
      return Json(200, "hi " + std::string(request.Query("name")) + " from " + request.remote_ip +
                           " " + std::string(request.Header("x-test")));
    });
    routes.Add("/echo", [](const Request& request) { return Json(200, request.body); }, {"POST"});
    routes.Add("/slow", [this](const Request&) {
      entered_.set_value();
      release_.get_future().wait();
      return Json(200, "late");
    });
    auto server = HttpServer::Start(options_, std::move(routes));
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    ASSERT_NE(server_->port(), 0);
  }

  HttpServerOptions options_;
  std::promise<void> entered_;
  std::promise<void> release_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, AnswersAndKeepsTheConnection) {
  StartServer();
  RawClient client(server_->port());
  for (int i = 0; i < 2; ++i) {
    client.Send("GET /hello?name=a%20b HTTP/1.1\r\nHost: x\r\nX-Test: yes\r\n\r\n");
    const std::string answer = client.ReadUntil("yes");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer, HasSubstr("Content-Type: application/json\r\n"));
    EXPECT_THAT(answer, EndsWith("\r\n\r\nhi a b from 127.0.0.1 yes"));
  }
  client.Send(
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc");
  EXPECT_THAT(client.ReadAll(), EndsWith("\r\n\r\nabc"));
}

TEST_F(HttpServerTest, HeadHasNoBody) {
  StartServer();
  RawClient client(server_->port());
  client.Send("HEAD /hello?name=x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string answer = client.ReadAll();
  EXPECT_THAT(answer, HasSubstr("Content-Length: 20\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n"));
}

TEST_F(HttpServerTest, AnswersWhatIsWrong) {
  options_.max_header_bytes = 1024;
  options_.max_body_bytes = 100;
  StartServer();
  const auto ask = [this](const std::string& request) {
    RawClient client(server_->port());
    client.Send(request);
    return client.ReadAll();
  };
  EXPECT_THAT(ask("GET /none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 404 "), HasSubstr("\"code\":\"not_found\"")));
  EXPECT_THAT(ask("PUT /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("Allow: GET\r\n")));
  EXPECT_THAT(ask("nonsense\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(ask("GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(ask("GET /hello HTTP/1.1\r\nX: " + std::string(2000, 'a') + "\r\n\r\n"),
              StartsWith("HTTP/1.1 431 "));
  EXPECT_THAT(ask("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n" +
                  std::string(200'000, 'a')),
              StartsWith("HTTP/1.1 413 "));
}

TEST_F(HttpServerTest, ClosesWhatIdles) {
  options_.timeout = milliseconds(50);
  StartServer();
  RawClient silent(server_->port());
  RawClient half(server_->port());
  half.Send("GET /hel");
  EXPECT_EQ(silent.ReadAll(), "");
  EXPECT_EQ(half.ReadAll(), "");
}

TEST_F(HttpServerTest, BoundsItsConnections) {
  options_.max_connections = 1;
  StartServer();
  RawClient first(server_->port());
  first.Send("GET /hello HTTP/1.1\r\nHost: x\r\nX-Test: end\r\n\r\n");
  first.ReadUntil("end");
  RawClient second(server_->port());
  second.Send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(second.ReadAll(), "");
  EXPECT_EQ(server_->rejected(), 1u);
}

TEST_F(HttpServerTest, StopLetsAnAnswerLeaveAndClosesTheRest) {
  StartServer();
  const uint16_t port = server_->port();
  RawClient idle(port);
  idle.Send("GET /hello HTTP/1.1\r\nHost: x\r\nX-Test: end\r\n\r\n");
  idle.ReadUntil("end");
  RawClient busy(port);
  busy.Send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  entered_.get_future().wait();
  std::thread stopper([this] { server_->Stop(milliseconds(5000)); });
  release_.set_value();
  EXPECT_THAT(busy.ReadAll(), EndsWith("late"));
  EXPECT_EQ(idle.ReadAll(), "");
  stopper.join();
  EXPECT_FALSE(RawClient(port).connected());
  server_->Stop(milliseconds(0));  // again: nothing
}

TEST_F(HttpServerTest, SaysWhyItCannotBind) {
  StartServer();
  HttpServerOptions same;
  same.port = server_->port();
  EXPECT_THAT(std::string(HttpServer::Start(same, Routes()).status().message()),
              HasSubstr("Address already in use"));
  same.host = "localhost";
  EXPECT_TRUE(absl::IsInvalidArgument(HttpServer::Start(same, Routes()).status()));
}

}  // namespace
}  // namespace spillway::http
