#include "services/edge/app/app_readiness.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <memory>
#include <string>

#include "tests/support/fake_clock.h"

namespace spillway::edge {
namespace {

class AppReadinessTest : public ::testing::Test {
 protected:
  AppReadinessTest() {
    status_.ingests = {{.address = "a:1", .node_id = "ingest-1", .up = true},
                       {.address = "b:1", .node_id = "ingest-2", .up = true}};
    upstream_.links = {{"ingest-1", true, true, ""}, {"ingest-2", true, true, ""}};
    upstream_.kafka_up = true;
    upstream_.catalogue_complete = true;
    upstream_.slots.resize(2);
    for (int i = 0; i < 2; ++i) {
      upstream_.slots[i].topic = "t";
      upstream_.slots[i].partition = i;
      upstream_.slots[i].attached = true;
    }
  }

  // "status kafka ingest attachments"
  std::string States() {
    status_.upstream = std::make_shared<const UpstreamStatus>(upstream_);
    edge_.Update(status_);
    const auto document = readiness_.Render();
    EXPECT_EQ(document.ready, readiness_.ready());
    const simdjson::dom::element json = parser_.parse(document.json);
    auto states = std::string(std::string_view(json["status"]));
    for (const char* name : {"kafka", "ingest", "attachments"}) {
      states += " | " + std::string(std::string_view(json["dependencies"][name]));
    }
    return states;
  }
  std::string Detail(const char* name) {
    const auto document = readiness_.Render();
    const simdjson::dom::element json = parser_.parse(document.json);
    std::string_view detail;
    if (json["details"][name].get(detail) != simdjson::SUCCESS) return "";
    return std::string(detail);
  }

  test::FakeClock clock_;
  simdjson::dom::parser parser_;
  lifecycle::Readiness readiness_{clock_, {}};
  EdgeReadiness edge_{readiness_, std::chrono::milliseconds(5000)};
  UpstreamStatus upstream_;
  LinkRuntimeStatus status_;
};

TEST_F(AppReadinessTest, ReadyWhenAllIsThere) {
  EXPECT_FALSE(readiness_.ready());
  EXPECT_EQ(States(), "ready | connected | connected | attached");
}

TEST_F(AppReadinessTest, NotReadyWithoutKafka) {
  upstream_.kafka_up = false;
  upstream_.links[0].kafka_error = "connection refused";
  EXPECT_EQ(States(), "not_ready | disconnected | connected | attached");
  EXPECT_EQ(Detail("kafka"), "ingest-1: connection refused; ingest-2: not connected yet");
  upstream_.kafka_up = true;
  EXPECT_EQ(States(), "ready | connected | connected | attached");
}

TEST_F(AppReadinessTest, OneDeadIngestOfSeveralIsDegraded) {
  status_.ingests[1].up = false;
  status_.ingests[1].error = "refused";
  EXPECT_EQ(States(), "degraded | connected | degraded | attached");
  EXPECT_EQ(Detail("ingest"), "ingest-2 (b:1): refused");
  status_.ingests[0].up = false;
  upstream_.links.clear();
  upstream_.kafka_up = false;
  EXPECT_EQ(States(), "not_ready | disconnected | disconnected | attached");
  EXPECT_EQ(Detail("kafka"), "no ingest is linked");
}

TEST_F(AppReadinessTest, ASecondAddressOfAnIngestIsNoDeadOne) {
  status_.ingests.push_back(
      {.address = "c:1", .node_id = "ingest-1", .up = false, .duplicate = true});
  EXPECT_EQ(States(), "ready | connected | connected | attached");
}

TEST_F(AppReadinessTest, AFailingNameServerIsDegraded) {
  status_.resolve_error = "cannot resolve 'x'";
  EXPECT_EQ(States(), "degraded | connected | degraded | attached");
  status_.ingests.clear();
  EXPECT_EQ(States(), "not_ready | connected | disconnected | attached");
  EXPECT_EQ(Detail("ingest"), "cannot resolve 'x'");
}

TEST_F(AppReadinessTest, AttachmentsHaveAGraceOnceTheyWereThere) {
  upstream_.catalogue_complete = false;
  EXPECT_EQ(States(), "not_ready | connected | connected | unattached");
  upstream_.catalogue_complete = true;
  upstream_.slots[1].attached = false;
  upstream_.slots[1].unattached_ms = 10;
  EXPECT_EQ(States(), "not_ready | connected | connected | 1 unattached");
  EXPECT_EQ(Detail("attachments"), "t/1");
  upstream_.slots[1].attached = true;
  EXPECT_EQ(States(), "ready | connected | connected | attached");
  upstream_.slots[1].attached = false;
  upstream_.slots[1].unattached_ms = 5000;
  EXPECT_EQ(States(), "ready | connected | connected | attached");
  upstream_.slots[1].unattached_ms = 5001;
  EXPECT_EQ(States(), "not_ready | connected | connected | 1 unattached");
}

TEST_F(AppReadinessTest, APartitionThatNoLinkedIngestKnowsIsDegraded) {
  EXPECT_EQ(States(), "ready | connected | connected | attached");
  upstream_.slots[1].attached = false;
  upstream_.slots[1].served = false;
  upstream_.slots[1].unattached_ms = 60'000;
  EXPECT_EQ(States(), "degraded | connected | connected | attached");
  EXPECT_EQ(Detail("attachments"), "t/1: no linked ingest serves it");
}

TEST_F(AppReadinessTest, TopicsThatCannotBeReadAreNamed) {
  upstream_.problems = {{"orders", "unknown topic"}, {"fills", "not authorised"}};
  EXPECT_EQ(States(), "degraded | connected | connected | attached");
  EXPECT_EQ(Detail("attachments"), "fills: not authorised; orders: unknown topic");
}

TEST_F(AppReadinessTest, NamesPartitionsThatCannotBeRead) {
  upstream_.slots[1].unread_ms = 5'000;
  EXPECT_EQ(States(), "ready | connected | connected | attached");
  upstream_.slots[1].unread_ms = 7'000;
  upstream_.slots[1].reason = "topic_denied";
  EXPECT_EQ(States(), "degraded | connected | connected | 1 stalled");
  EXPECT_EQ(Detail("attachments"), "t/1: stalled for 7 s (topic_denied)");
}

TEST_F(AppReadinessTest, WhoIsKeptOutHasToBeKnown) {
  using Phase = ControlState::Phase;
  States();
  // Without the time, which is another each time that it is asked.
  const auto states = [this] {
    const std::string json = readiness_.Render().json;
    return json.substr(json.find("\"dependencies\""));
  };
  const std::string before = states();
  EXPECT_EQ(before.find("control"), std::string::npos);
  edge_.UpdateControl({.phase = Phase::kNone, .problem = "", .durable = false});
  EXPECT_EQ(states(), before) << "nothing of it where there is no topic";
  edge_.UpdateControl({.phase = Phase::kWaiting, .problem = "i1: topic_denied", .durable = true});
  EXPECT_FALSE(readiness_.ready());
  EXPECT_EQ(Detail("control"), "i1: topic_denied");
  edge_.UpdateControl({.phase = Phase::kGivenUp, .problem = "i1: topic_denied", .durable = true});
  EXPECT_TRUE(readiness_.ready());
  EXPECT_EQ(States().substr(0, 8), "degraded");
  edge_.UpdateControl({.phase = Phase::kKnown, .problem = "", .durable = true});
  EXPECT_NE(states().find("\"control\":\"known\""), std::string::npos);
  edge_.UpdateControl({.phase = Phase::kNone, .problem = "", .durable = false});
  EXPECT_TRUE(readiness_.ready());
}

}  // namespace
}  // namespace spillway::edge
