#include "common/audit/audit_log.h"

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "common/base/mutex.h"
#include "common/log/log.h"
#include "tests/support/fake_clock.h"

namespace spillway::audit {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// What an output of the test was given, and what it is to answer. Outlives the log.
struct Seen {
  Mutex mutex;
  CondVar changed;
  std::vector<std::string> lines;
  int failures = 0;     // of the next calls
  bool closed = false;  // calls block until they are cancelled
  bool blocked = false;
  bool finishes = false;  // what it has begun it ends though it is cancelled, as a file does

  void WaitUntilBlocked() {
    MutexLock lock(mutex);
    while (!blocked) changed.Wait(mutex);
  }
  void WaitForLines(size_t count) {
    MutexLock lock(mutex);
    while (lines.size() < count) changed.Wait(mutex);
  }
  void Open() {
    MutexLock lock(mutex);
    closed = false;
    changed.NotifyAll();
  }
};

class FakeOutput final : public Output {
 public:
  explicit FakeOutput(Seen& seen) : seen_(seen) {}

  absl::Status Write(const std::vector<std::string>& lines) override {
    MutexLock lock(seen_.mutex);
    while (seen_.closed && !cancelled_) {
      seen_.blocked = true;
      seen_.changed.NotifyAll();
      seen_.changed.Wait(seen_.mutex);
    }
    if (cancelled_ && !seen_.finishes) return absl::CancelledError("cancelled");
    if (seen_.failures > 0) {
      --seen_.failures;
      return absl::UnavailableError("the disk is full");
    }
    seen_.lines.insert(seen_.lines.end(), lines.begin(), lines.end());
    seen_.changed.NotifyAll();
    return absl::OkStatus();
  }
  void Cancel() override {
    MutexLock lock(seen_.mutex);
    cancelled_ = true;
    seen_.changed.NotifyAll();
  }

 private:
  Seen& seen_;
  bool cancelled_ = false;
};

class AuditLogTest : public ::testing::Test {
 protected:
  AuditLogTest() {
    options_.service = "s";
    options_.node_id = "n";
    options_.retry = milliseconds(1);
  }
  void Start() {
    log_ = std::make_unique<AuditLog>(options_, clock_);
    log_->AddOutput("a", std::make_unique<FakeOutput>(a_));
    log_->AddOutput("b", std::make_unique<FakeOutput>(b_));
    log_->Start();
  }
  void Write(Category category, std::string_view action = "x") {
    log_->Write({.category = category,
                 .action = action,
                 .actor = {},
                 .source = {},
                 .correlation_id = {},
                 .target = {},
                 .outcome = "ok"});
  }
  // The lines about what the test did, after the log has stopped.
  static std::vector<std::string> Of(const Seen& seen, const std::string& action) {
    std::vector<std::string> lines;
    for (const std::string& line : seen.lines) {
      if (line.find("\"action\":\"" + action + "\"") != std::string::npos) lines.push_back(line);
    }
    return lines;
  }

  test::FakeClock clock_;
  AuditLog::Options options_;
  Seen a_;
  Seen b_;
  std::unique_ptr<AuditLog> log_;
};

TEST_F(AuditLogTest, EveryOutputGetsEveryLineInOrder) {
  Start();
  for (int i = 0; i < 3; ++i) Write(Category::kAdmin);
  log_->Stop(seconds(30));
  EXPECT_EQ(a_.lines, b_.lines);
  ASSERT_EQ(a_.lines.size(), 5u);
  EXPECT_EQ(a_.lines[0],
            "{\"type\":\"audit\",\"time\":\"2026-01-01T00:00:00.000Z\",\"seq\":1,\"service\":\"s\","
            "\"node\":\"n\",\"category\":\"audit\",\"action\":\"log_started\",\"actor\":\"\","
            "\"source\":\"\",\"correlation_id\":\"\",\"target\":\"\",\"outcome\":\"ok\"}");
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_NE(a_.lines[i].find("\"seq\":" + std::to_string(i + 1) + ","), std::string::npos);
  }
  EXPECT_EQ(Of(a_, "log_stopped").size(), 1u);
  EXPECT_EQ(log_->status()[0].written, 5u);
}

TEST_F(AuditLogTest, ARecordsOwnTimeCounts) {
  Start();
  log_->Write({.category = Category::kAdmin,
               .time_ms = 1'000,
               .action = "x",
               .actor = {},
               .source = {},
               .correlation_id = {},
               .target = {},
               .outcome = "ok"});
  log_->Stop(seconds(30));
  EXPECT_NE(Of(a_, "x").at(0).find("\"time\":\"1970-01-01T00:00:01.000Z\""), std::string::npos);
}

TEST_F(AuditLogTest, OnlyWantedCategoriesAreWritten) {
  options_.categories[static_cast<size_t>(Category::kConnection)] = false;
  Start();
  EXPECT_FALSE(log_->wants(Category::kConnection));
  EXPECT_TRUE(log_->wants(Category::kAdmin));
  Write(Category::kConnection);
  log_->Stop(seconds(30));
  EXPECT_TRUE(Of(a_, "x").empty());
}

TEST_F(AuditLogTest, WithoutAnOutputNothingIsWanted) {
  AuditLog log(options_, clock_);
  EXPECT_FALSE(log.wants(Category::kAdmin));
  EXPECT_FALSE(log.wants(Category::kAudit));
}

TEST_F(AuditLogTest, AnOutputThatFailsGetsItsLinesLaterAndOnce) {
  a_.failures = 3;
  Start();
  Write(Category::kAdmin);
  log_->Stop(seconds(30));
  EXPECT_EQ(a_.lines, b_.lines);
  EXPECT_EQ(log_->status()[0].left_out, 0u);
  EXPECT_EQ(log_->status()[0].problem, "");
}

// stderr may be a pipe that nobody reads: whoever records must not wait for it.
TEST_F(AuditLogTest, NobodyWaitsForWhatIsSaidAboutAnOutput) {
  a_.failures = 1;
  std::vector<std::thread> askers;
  int said = 0;
  int answered = 0;
  log::Options logging;
  logging.sink = [&](std::string_view line) {
    if (line.find("the audit log ") == std::string_view::npos) return;
    ++said;
    std::promise<void> promise;
    std::future<void> done = promise.get_future();
    askers.emplace_back([this, promise = std::move(promise)]() mutable {
      Write(Category::kAdmin);
      promise.set_value();
    });
    if (done.wait_for(seconds(10)) == std::future_status::ready) ++answered;
  };
  log::Init(logging);
  Start();
  a_.WaitForLines(2);  // the second is one that was written while the first failure was told
  log_->Stop(seconds(30));
  log::Init({});
  for (std::thread& asker : askers) asker.join();
  EXPECT_EQ(said, 2);  // that it fails, and that it is well
  EXPECT_EQ(answered, 2);
}

TEST_F(AuditLogTest, WhatHasNoRoomIsCountedAndSaid) {
  options_.buffer.lines = 16;
  a_.closed = true;
  Start();
  a_.WaitUntilBlocked();
  for (int i = 0; i < 100; ++i) Write(Category::kSecurity, "refused");
  for (int i = 0; i < 2; ++i) Write(Category::kAdmin, "admin");
  EXPECT_EQ(log_->status()[0].waiting, 14u + 2 + 1);
  EXPECT_EQ(log_->status()[0].left_out, 86u);
  b_.WaitForLines(2);  // it is not held up by the other
  a_.Open();
  a_.WaitForLines(1 + 14 + 2 + 1);
  log_->Stop(seconds(30));
  // There was room for what an operator did, although clients had filled theirs.
  EXPECT_EQ(Of(a_, "admin").size(), 2u);
  EXPECT_EQ(Of(a_, "refused").size(), 14u);
  const auto told = Of(a_, "lines_left_out");
  ASSERT_EQ(told.size(), 1u);
  EXPECT_NE(told[0].find("\"count\":86"), std::string::npos) << told[0];
  EXPECT_NE(told[0].find("\"target\":\"a\""), std::string::npos) << told[0];
}

TEST_F(AuditLogTest, ClientsCauseSoManyLinesInASecond) {
  options_.client_lines = 2;
  Start();
  for (int i = 0; i < 5; ++i) Write(Category::kSecurity, "refused");
  for (int i = 0; i < 5; ++i) Write(Category::kAdmin, "admin");
  clock_.Advance(seconds(1));
  Write(Category::kSecurity, "refused");
  log_->Stop(seconds(30));
  EXPECT_EQ(Of(a_, "refused").size(), 3u);
  EXPECT_EQ(Of(a_, "admin").size(), 5u);
  EXPECT_FALSE(Of(a_, "lines_left_out").empty());
  EXPECT_EQ(log_->status()[0].left_out, 3u);
}

TEST_F(AuditLogTest, WithNoTimeLeftAnOutputThatWorksStillGetsAll) {
  a_.closed = true;
  a_.finishes = true;
  Start();
  a_.WaitUntilBlocked();
  for (int i = 0; i < 2'000; ++i) Write(Category::kAdmin);
  log_->Stop(milliseconds(0));
  EXPECT_EQ(a_.lines.size(), 2'002u);
  EXPECT_EQ(Of(a_, "log_stopped").size(), 1u);
  EXPECT_EQ(log_->status()[0].left_out, 0u);
}

TEST_F(AuditLogTest, ItStopsInTimeThoughAnOutputTakesNothing) {
  a_.closed = true;
  Start();
  a_.WaitUntilBlocked();
  Write(Category::kAdmin);
  b_.WaitForLines(2);
  log_->Stop(milliseconds(1));
  EXPECT_TRUE(a_.lines.empty());
  EXPECT_EQ(log_->status()[0].left_out, 3u);
  EXPECT_EQ(Of(b_, "x").size(), 1u);
  Write(Category::kAdmin);  // nobody takes it any more
  EXPECT_EQ(log_->status()[1].waiting, 0u);
}

}  // namespace
}  // namespace spillway::audit
