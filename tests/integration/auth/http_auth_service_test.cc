// Workers' threads, the thread of the calls and a service over HTTP, all at once.

#include "services/edge/auth/http_auth_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/mutex.h"
#include "common/http/http_server.h"

namespace spillway::edge {
namespace {

using Kind = AuthVerdict::Kind;

// A worker's thread: what is posted to it, and nothing else.
class FakeWorker {
 public:
  void Post(std::function<void()> task) {
    MutexLock lock(mutex_);
    tasks_.push_back(std::move(task));
    changed_.NotifyOne();
  }
  // On the worker's thread: what has been posted, at least one.
  void RunSome() {
    std::vector<std::function<void()>> tasks;
    {
      MutexLock lock(mutex_);
      while (tasks_.empty()) changed_.Wait(mutex_);
      tasks.swap(tasks_);
    }
    for (const auto& task : tasks) task();
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::vector<std::function<void()>> tasks_ SPILLWAY_GUARDED_BY(mutex_);
};

class HttpAuthServiceTest : public ::testing::Test {
 protected:
  static constexpr size_t kWorkers = 4;

  HttpAuthServiceTest() {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): there is no other thread yet
    setenv("no_proxy", "127.0.0.1", 1);
    http::Routes routes;
    routes.Add("/check",
               [this](const http::Request& request) {
                 ++calls_;
                 http::Response response;
                 response.body = request.body.find("\"bad") == std::string::npos
                                     ? R"({"allowed":true,"user":"u1","claims":{"roles":["x"]}})"
                                     : R"({"allowed":false})";
                 return response;
               },
               {"POST"});
    routes.AddAsync("/slow",
                    [this](const http::Request&, std::shared_ptr<http::Exchange> exchange) {
                      MutexLock lock(mutex_);
                      held_.push_back(std::move(exchange));
                      changed_.NotifyAll();
                    },
                    {"POST"});
    auto server = http::HttpServer::Start({}, std::move(routes));
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  ~HttpAuthServiceTest() override {
    if (service_ != nullptr) service_->Stop();
  }

  void Start(const std::string& path, size_t max_waiting = 1'000) {
    HttpAuthService::Options options;
    options.checks.max_calls = 3;
    options.checks.max_waiting = max_waiting;
    options.checks.timeout = std::chrono::seconds(20);
    options.checks.cache_ttl = options.checks.refusal_ttl = std::chrono::milliseconds(0);
    options.http.url = absl::StrCat("http://127.0.0.1:", server_->port(), path);
    auto service = HttpAuthService::Create(std::move(options), "a key", Clock::Real(),
                                           [this](size_t worker, std::function<void()> task) {
                                             workers_[worker].Post(std::move(task));
                                           });
    ASSERT_TRUE(service.ok()) << service.status();
    service_ = *std::move(service);
    service_->Start();
  }

  Mutex mutex_;
  CondVar changed_;
  std::vector<std::shared_ptr<http::Exchange>> held_ SPILLWAY_GUARDED_BY(mutex_);
  std::atomic<int> calls_{0};
  FakeWorker workers_[kWorkers];
  std::unique_ptr<http::HttpServer> server_;
  std::unique_ptr<HttpAuthService> service_;
};

TEST_F(HttpAuthServiceTest, EveryoneIsToldOnceOnTheirOwnThread) {
  Start("/check");
  static constexpr int kQuestions = 100;
  std::atomic<int> allowed{0};
  std::atomic<int> refused{0};
  std::atomic<int> told_in_vain{0};
  std::vector<std::thread> threads;
  for (size_t w = 0; w < kWorkers; ++w) {
    threads.emplace_back([&, w] {
      const std::thread::id self = std::this_thread::get_id();
      int waiting = 0;
      std::vector<AuthTicket> gone;
      for (int i = 0; i < kQuestions; ++i) {
        // Workers ask the same at times; every fifth client goes at once.
        const bool goes = i % 5 == 4;
        auto wait = std::make_shared<AuthWait>([&, self, goes](const AuthVerdict& verdict) {
          EXPECT_EQ(std::this_thread::get_id(), self);
          --waiting;
          if (goes) ++told_in_vain;
          ++(verdict.kind == Kind::kAllowed ? allowed : refused);
        });
        const std::string token = absl::StrCat(i % 2 == 0 ? "good" : "bad", i);
        const AuthVerdictRef known =
            service_->Ask({.token = token, .correlation_id = absl::StrCat(w)}, w, wait);
        ASSERT_EQ(known, nullptr);
        if (goes) {
          gone.emplace_back(std::move(wait));
          gone.clear();
        } else {
          ++waiting;
        }
      }
      while (waiting > 0) workers_[w].RunSome();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(told_in_vain.load(), 0);
  EXPECT_EQ(allowed.load() + refused.load(), static_cast<int>(kWorkers) * kQuestions * 4 / 5);
  EXPECT_EQ(allowed.load(), static_cast<int>(kWorkers) * kQuestions * 2 / 5);
  EXPECT_LE(calls_.load(), static_cast<int>(kWorkers) * kQuestions);
}

TEST_F(HttpAuthServiceTest, StopForgetsThoseWhoWait) {
  Start("/slow");
  bool told = false;
  std::vector<AuthTicket> tickets;
  for (int i = 0; i < 5; ++i) {
    auto wait = std::make_shared<AuthWait>([&](const AuthVerdict&) { told = true; });
    EXPECT_EQ(service_->Ask({.token = absl::StrCat(i)}, 0, wait), nullptr);
    tickets.emplace_back(std::move(wait));
  }
  {
    MutexLock lock(mutex_);
    while (held_.size() < 3) changed_.Wait(mutex_);
  }
  EXPECT_EQ(service_->checks().status().calls, 3u);
  service_->Stop();
  auto late = std::make_shared<AuthWait>([&](const AuthVerdict&) { told = true; });
  EXPECT_EQ(service_->Ask({.token = "late"}, 0, late), nullptr);
  service_.reset();
  tickets.clear();  // clients may outlive the service's last word
  EXPECT_FALSE(told);
}

}  // namespace
}  // namespace spillway::edge
