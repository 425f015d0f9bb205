#include "common/fetch/http_caller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <future>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/mutex.h"
#include "common/http/http_server.h"

namespace spillway::fetch {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

class HttpCallerTest : public ::testing::Test {
 protected:
  HttpCallerTest() {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): there is no other thread yet
    setenv("no_proxy", "127.0.0.1", 1);
    http::Routes routes;
    routes.Add("/echo",
               [this](const http::Request& request) {
                 http::Response response;
                 response.body =
                     absl::StrCat(std::string(request.Header("content-type")), " ",
                                  std::string(request.Header("x-key")), " ", request.body);
                 response.status = request.body == "refused" ? 403 : 200;
                 ++calls_;
                 return response;
               },
               {"POST"});
    routes.Add("/elsewhere",
               [](const http::Request&) {
                 http::Response response;
                 response.status = 307;
                 response.headers.emplace_back("Location", "/echo");
                 return response;
               },
               {"POST"});
    // Answered when the test ends.
    routes.AddAsync("/slow",
                    [this](const http::Request&, std::shared_ptr<http::Exchange> exchange) {
                      MutexLock lock(mutex_);
                      held_.push_back(std::move(exchange));
                      ++held_count_;
                      changed_.NotifyAll();
                    },
                    {"POST"});
    auto server = http::HttpServer::Start({}, std::move(routes));
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  std::string Url(const std::string& path) {
    return absl::StrCat("http://127.0.0.1:", server_->port(), path);
  }
  void Start(HttpCaller::Options options) {
    caller_ = std::make_unique<HttpCaller>(std::move(options));
    caller_->Start();
  }
  std::future<HttpCaller::Answer> Post(const std::string& body,
                                       milliseconds timeout = seconds(20)) {
    auto promise = std::make_shared<std::promise<HttpCaller::Answer>>();
    caller_->Post(body, timeout,
                  [promise](HttpCaller::Answer answer) { promise->set_value(std::move(answer)); });
    return promise->get_future();
  }
  void WaitForHeld(size_t count) {
    MutexLock lock(mutex_);
    while (held_count_ < count) changed_.Wait(mutex_);
  }

  Mutex mutex_;
  CondVar changed_;
  size_t held_count_ SPILLWAY_GUARDED_BY(mutex_) = 0;
  std::vector<std::shared_ptr<http::Exchange>> held_ SPILLWAY_GUARDED_BY(mutex_);
  std::atomic<int> calls_{0};
  std::unique_ptr<http::HttpServer> server_;
  std::unique_ptr<HttpCaller> caller_;
};

TEST_F(HttpCallerTest, PostsAndGivesTheAnswerWhateverItsStatus) {
  Start({.url = Url("/echo"), .headers = [] { return std::vector<std::string>{"X-Key: k"}; }});
  const HttpCaller::Answer answer = Post("hello").get();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "application/json k hello");
  EXPECT_EQ(Post("refused").get().status, 403);
}

TEST_F(HttpCallerTest, ManyAtOnceFromManyThreads) {
  Start({.url = Url("/echo"), .max_connections = 3});
  std::vector<std::thread> threads;
  Mutex mutex;
  std::vector<std::future<HttpCaller::Answer>> answers;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        auto answer = Post(absl::StrCat(t, ".", i));
        MutexLock lock(mutex);
        answers.push_back(std::move(answer));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<std::string> bodies;
  for (auto& answer : answers) bodies.insert(answer.get().body);
  EXPECT_EQ(bodies.size(), 200u);
  EXPECT_EQ(calls_.load(), 200);
}

TEST_F(HttpCallerTest, WhatIsNoAnswerHasAnError) {
  Start({.url = Url("/echo"), .max_bytes = 30});
  HttpCaller::Answer answer = Post(std::string(100, 'x')).get();
  EXPECT_EQ(answer.status, 0);
  EXPECT_EQ(answer.error, "more than 30 bytes");
  EXPECT_EQ(answer.body, "");
  Start({.url = Url("/slow")});
  answer = Post("", milliseconds(20)).get();
  EXPECT_EQ(answer.status, 0);
  EXPECT_THAT(answer.error, HasSubstr("timed out"));
  Start({.url = "http://127.0.0.1:1/"});
  EXPECT_EQ(Post("").get().status, 0);
  Start({.url = "file:///etc/passwd"});
  EXPECT_EQ(Post("").get().status, 0);
}

TEST_F(HttpCallerTest, FollowsNobodyElsewhere) {
  Start({.url = Url("/elsewhere")});
  EXPECT_EQ(Post("").get().status, 307);
  EXPECT_EQ(calls_.load(), 0);
}

TEST_F(HttpCallerTest, OneThatIsSlowHoldsNoOtherUp) {
  Start({.url = Url("/slow")});
  auto slow = Post("");
  WaitForHeld(1);
  auto second = Post("");
  WaitForHeld(2);
  std::vector<std::shared_ptr<http::Exchange>> held;
  {
    MutexLock lock(mutex_);
    held.swap(held_);
  }
  held[1]->Respond(http::Response());
  EXPECT_EQ(second.get().status, 200);
  held[0]->Respond(http::Response());
  EXPECT_EQ(slow.get().status, 200);
}

TEST_F(HttpCallerTest, StopDropsWhatIsUnderWay) {
  Start({.url = Url("/slow")});
  auto slow = Post("");
  WaitForHeld(1);
  caller_->Stop();
  auto late = Post("");
  caller_.reset();
  EXPECT_THROW(slow.get(), std::future_error);  // nobody answers any more
  EXPECT_THROW(late.get(), std::future_error);
}

TEST_F(HttpCallerTest, AnAnswerMayCauseAnotherCall) {
  Start({.url = Url("/echo")});
  std::promise<std::string> second;
  caller_->Post("1", seconds(20), [&](const HttpCaller::Answer&) {
    caller_->Post("2", seconds(20),
                  [&](const HttpCaller::Answer& answer) { second.set_value(answer.body); });
  });
  EXPECT_THAT(second.get_future().get(), HasSubstr("2"));
}

}  // namespace
}  // namespace spillway::fetch
