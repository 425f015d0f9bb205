// A name looked up again and again. The lookups are the test's: no name server, and no time but
// that of the threads.

#include "services/edge/upstream/link_runtime_resolver.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/base/mutex.h"

namespace spillway::edge {
namespace {

using Answer = absl::StatusOr<std::vector<std::string>>;
using List = std::vector<std::string>;

constexpr std::chrono::milliseconds kAtOnce{0};
constexpr std::chrono::hours kNever{1000};

// What the name server says, and what came of it. Shared with the resolver's thread, which may
// outlive the resolver.
struct Script {
  Mutex mutex;
  CondVar changed;
  std::deque<Answer> answers SPILLWAY_GUARDED_BY(mutex);  // one for each lookup; without, it waits
  List asked SPILLWAY_GUARDED_BY(mutex);
  std::vector<List> told SPILLWAY_GUARDED_BY(mutex);
};

class NameResolverTest : public ::testing::Test {
 protected:
  std::unique_ptr<NameResolver> Start(std::chrono::milliseconds refresh) {
    return std::make_unique<NameResolver>(
        "ingests:7400", refresh,
        [script = script_](Answer answer) {
          MutexLock lock(script->mutex);
          script->told.push_back(answer.ok() ? *std::move(answer)
                                             : List{std::string(answer.status().message())});
          script->changed.NotifyAll();
        },
        [script = script_](const std::string& name) -> Answer {
          MutexLock lock(script->mutex);
          script->asked.push_back(name);
          script->changed.NotifyAll();
          while (script->answers.empty()) script->changed.Wait(script->mutex);
          Answer answer = std::move(script->answers.front());
          script->answers.pop_front();
          return answer;
        });
  }
  void Say(Answer answer) {
    MutexLock lock(script_->mutex);
    script_->answers.push_back(std::move(answer));
    script_->changed.NotifyAll();
  }
  List WaitForAsked(size_t count) {
    MutexLock lock(script_->mutex);
    while (script_->asked.size() < count) script_->changed.Wait(script_->mutex);
    return script_->asked;
  }
  std::vector<List> WaitForTold(size_t count) {
    MutexLock lock(script_->mutex);
    while (script_->told.size() < count) script_->changed.Wait(script_->mutex);
    return script_->told;
  }
  // The resolver's thread has ended when nobody else has the script.
  void WaitForTheThread() {
    while (script_.use_count() > 1) std::this_thread::yield();
  }
  size_t asked() {
    MutexLock lock(script_->mutex);
    return script_->asked.size();
  }
  size_t told() {
    MutexLock lock(script_->mutex);
    return script_->told.size();
  }

  std::shared_ptr<Script> script_ = std::make_shared<Script>();
};

TEST_F(NameResolverTest, AsksAgainAndTellsEachAnswer) {
  auto resolver = Start(kAtOnce);
  Say(List{"a:1"});
  Say(List{"a:1", "b:1"});
  Say(List{"b:1"});
  EXPECT_EQ(WaitForTold(3), (std::vector<List>{{"a:1"}, {"a:1", "b:1"}, {"b:1"}}));
  EXPECT_EQ(WaitForAsked(4)[3], "ingests:7400");
  resolver.reset();
  Say(List{});  // for the lookup under way
  WaitForTheThread();
}

TEST_F(NameResolverTest, AFailureIsToldAndDoesNotEndIt) {
  auto resolver = Start(kAtOnce);
  Say(absl::UnavailableError("no name server"));
  Say(List{"a:1"});
  EXPECT_EQ(WaitForTold(2), (std::vector<List>{{"no name server"}, {"a:1"}}));
  WaitForAsked(3);
  resolver.reset();
  Say(List{});
  WaitForTheThread();
}

TEST_F(NameResolverTest, WaitsBetweenLookupsAndEndsMeanwhile) {
  auto resolver = Start(kNever);
  Say(List{"a:1"});
  WaitForTold(1);
  resolver.reset();
  WaitForTheThread();
  EXPECT_EQ(asked(), 1u);
}

TEST_F(NameResolverTest, ItsEndDoesNotWaitForALookupWhoseAnswerIsDropped) {
  auto resolver = Start(kAtOnce);
  WaitForAsked(1);
  resolver.reset();
  Say(List{"a:1"});
  WaitForTheThread();
  EXPECT_EQ(told(), 0u);
  EXPECT_EQ(asked(), 1u);
}

TEST(ResolveAllTest, KeepsThePort) {
  EXPECT_EQ(ResolveAll("127.0.0.1:80").value(), List{"127.0.0.1:80"});
  EXPECT_EQ(ResolveAll("[::1]:0").value(), List{"[::1]:0"});
  const auto local = ResolveAll("localhost:7400");
  ASSERT_TRUE(local.ok()) << local.status();
  for (const std::string& address : *local) {
    EXPECT_TRUE(address == "127.0.0.1:7400" || address == "[::1]:7400") << address;
  }
  EXPECT_FALSE(local->empty());
}

TEST(ResolveAllTest, SaysWhatIsWrong) {
  EXPECT_EQ(ResolveAll("ingest").status().message(), "'ingest' is not host:port");
  const absl::Status status = ResolveAll("no host:1").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(std::string(status.message()).find("cannot resolve 'no host': "), std::string::npos);
}

}  // namespace
}  // namespace spillway::edge
