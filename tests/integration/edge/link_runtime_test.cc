// The link thread with ingests played by the test, found by a name whose lookups are the test's.

#include "services/edge/upstream/link_runtime.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/base/mutex.h"
#include "tests/integration/edge/fake_ingest.h"
#include "tests/support/lasting_port.h"

namespace spillway::edge {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;
using List = std::vector<std::string>;

// There is nobody to hand events to.
class NoWorkers final : public HubWorkers {
 public:
  size_t count() const override { return 1; }
  void Post(size_t, Task) override {}
};

class LinkRuntimeTest : public testing::Test {
 protected:
  ~LinkRuntimeTest() override {
    if (runtime_ != nullptr) runtime_->Stop();
  }

  void Start(List addresses = {}) {
    LinkRuntime::Options options;
    options.core.node_id = "edge-1";
    options.addresses = std::move(addresses);
    options.dns_name = "ingests:1";
    options.dns_refresh = std::chrono::milliseconds(5);
    options.dns_lookup = [this](const std::string&) -> absl::StatusOr<List> {
      MutexLock lock(mutex_);
      ++lookups_;
      return answer_;
    };
    options.tick = std::chrono::milliseconds(5);
    runtime_ = std::make_unique<LinkRuntime>(options, variants_, workers_, Clock::Real(), 1);
    runtime_->Start({});
  }
  void Resolve(absl::StatusOr<List> answer) {
    MutexLock lock(mutex_);
    answer_ = std::move(answer);
  }
  int lookups() {
    MutexLock lock(mutex_);
    return lookups_;
  }
  // "address" of each ingest, with a + if it is linked.
  List Ingests() {
    List ingests;
    for (const IngestTargetStatus& ingest : runtime_->status().ingests) {
      ingests.push_back(ingest.address + (ingest.up ? "+" : ""));
    }
    return ingests;
  }
  template <typename Condition>
  bool Wait(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
  }
  bool WaitForIngests(const List& wanted) {
    if (Wait([&] {
          return testing::Matches(testing::UnorderedElementsAreArray(wanted))(Ingests());
        }))
      return true;
    ADD_FAILURE() << testing::PrintToString(Ingests());
    return false;
  }

  Mutex mutex_;
  absl::StatusOr<List> answer_ SPILLWAY_GUARDED_BY(mutex_) = List{};
  int lookups_ SPILLWAY_GUARDED_BY(mutex_) = 0;
  VariantTable variants_;
  NoWorkers workers_;
  std::unique_ptr<LinkRuntime> runtime_;
};

TEST_F(LinkRuntimeTest, FollowsTheAddressesBehindTheName) {
  auto one = std::make_unique<test::FakeIngest>("ingest-1");
  test::FakeIngest two("ingest-2");
  const std::string first = one->address();
  Resolve(List{first});
  Start();
  ASSERT_TRUE(WaitForIngests({first + "+"}));
  Resolve(List{first, two.address()});
  ASSERT_TRUE(WaitForIngests({first + "+", two.address() + "+"}));

  // An ingest that left the name keeps its link while it lives, and is forgotten with it.
  Resolve(List{two.address()});
  const int before = lookups();
  ASSERT_TRUE(Wait([&] { return lookups() > before + 2; }));
  EXPECT_THAT(Ingests(), UnorderedElementsAre(first + "+", two.address() + "+"));
  one.reset();
  ASSERT_TRUE(WaitForIngests({two.address() + "+"}));

  test::FakeIngest three("ingest-3");
  Resolve(List{two.address(), three.address()});
  ASSERT_TRUE(WaitForIngests({two.address() + "+", three.address() + "+"}));
  EXPECT_EQ(three.links(), 1u);
}

TEST_F(LinkRuntimeTest, ANameThatCannotBeResolvedAnyMoreChangesNothing) {
  auto one = std::make_unique<test::FakeIngest>("ingest-1", test::LastingPort());
  const std::string first = one->address();
  Resolve(List{first});
  Start();
  ASSERT_TRUE(WaitForIngests({first + "+"}));
  Resolve(absl::UnavailableError("no name server"));
  ASSERT_TRUE(Wait([&] { return runtime_->status().resolve_error == "no name server"; }));
  EXPECT_THAT(Ingests(), ElementsAre(first + "+"));
  EXPECT_EQ(one->links(), 1u);
  // The address is known still: an ingest that ends is dialled again there.
  const int port = one->port();
  one.reset();
  ASSERT_TRUE(WaitForIngests({first}));
  one = std::make_unique<test::FakeIngest>("ingest-1", port);
  ASSERT_TRUE(WaitForIngests({first + "+"}));

  // The name is asked for all the while, and its error forgotten.
  test::FakeIngest two("ingest-2");
  Resolve(List{first, two.address()});
  ASSERT_TRUE(WaitForIngests({first + "+", two.address() + "+"}));
  EXPECT_EQ(runtime_->status().resolve_error, "");
}

TEST_F(LinkRuntimeTest, TheListIsThereWhateverTheName) {
  test::FakeIngest one("ingest-1");
  Resolve(absl::UnavailableError("no name server"));
  Start({one.address()});
  ASSERT_TRUE(WaitForIngests({one.address() + "+"}));
  Resolve(List{});
  ASSERT_TRUE(Wait([&] { return runtime_->status().resolve_error.empty(); }));
  EXPECT_THAT(Ingests(), ElementsAre(one.address() + "+"));
}

TEST_F(LinkRuntimeTest, ASecondAddressOfAnIngestIsNoSecondLink) {
  test::FakeIngest one("ingest-1");
  Start({one.address()});
  ASSERT_TRUE(WaitForIngests({one.address() + "+"}));
  const std::string other = one.address("localhost");
  Resolve(List{other});
  ASSERT_TRUE(Wait([&] {
    const auto ingests = runtime_->status().ingests;
    return ingests.size() == 2 && ingests[1].duplicate;
  }));
  EXPECT_THAT(Ingests(), ElementsAre(one.address() + "+", other));
  EXPECT_EQ(runtime_->status().ingests[1].error, "");
}

TEST_F(LinkRuntimeTest, AnInterestLargerThanAnyMessageGetsThrough) {
  constexpr size_t kChannels = 40'000;  // 10 MB of names; the ingest takes messages of 4 MiB
  const std::string pad(240, 'x');
  Start();
  for (size_t n = 0; n < kChannels; ++n) {
    runtime_->AddInterest(0, "price:" + pad + std::to_string(n), n + 1);
  }
  ASSERT_TRUE(Wait([&] { return runtime_->status().upstream->interests == kChannels; }));
  test::FakeIngest one("ingest-1");
  Resolve(List{one.address()});
  ASSERT_TRUE(one.WaitForAttach(1));
  EXPECT_EQ(one.interests(), kChannels);  // all of it before the first attach
}

}  // namespace
}  // namespace spillway::edge
