#include "services/edge/control/admin_merge.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "common/log/log.h"
#include "services/edge/control/admin_presence.h"
#include "services/edge/control/cluster_call.h"

namespace spillway::edge {
namespace {

// Three nodes with connections each; every page is asked of all of them, as the cluster does.
TEST(AdminMergeTest, PagesOfTheClusterAreWholeAndInOrder) {
  const std::vector<std::set<std::string>> nodes = {
      {"a1", "b2", "c3", "d4", "e5"}, {"a2", "b1"}, {}};
  for (uint32_t size : {1u, 2u, 3u, 7u, 8u}) {
    v1::ListConnectionsRequest request;
    request.set_page_size(size);
    std::string seen;
    int pages = 0;
    do {
      std::vector<v1::ListConnectionsResponse> answers;
      for (size_t n = 0; n < nodes.size(); ++n) {
        v1::ListConnectionsResponse& answer = answers.emplace_back();
        answer.set_node_id("node-" + std::to_string(n));
        for (const std::string& id : nodes[n]) {
          if (id <= request.page_token()) continue;
          if (static_cast<uint32_t>(answer.connections_size()) == size) {
            answer.set_next_page_token(answer.connections().rbegin()->id());
            break;
          }
          answer.add_connections()->set_id(id);
        }
      }
      v1::ListConnectionsResponse page;
      MergeNodes(request, std::move(answers), &page);
      EXPECT_LE(static_cast<uint32_t>(page.connections_size()), size);
      for (const v1::Connection& one : page.connections()) {
        seen += one.id() + " ";
        EXPECT_NE(one.node_id(), "");
      }
      request.set_page_token(page.next_page_token());
      ASSERT_LT(++pages, 20);
    } while (!request.page_token().empty());
    EXPECT_EQ(seen, "a1 a2 b1 b2 c3 d4 e5 ") << size;
  }
}

TEST(AdminMergeTest, ChannelsOfSeveralNodesAreCountedTogether) {
  v1::ListChannelsRequest request;
  request.set_page_size(1);
  std::vector<v1::ListChannelsResponse> answers(2);
  answers[0].add_channels()->set_name("a");
  answers[0].mutable_channels(0)->set_subscribers(2);
  answers[0].set_next_page_token("a");
  answers[1].add_channels()->set_name("a");
  answers[1].mutable_channels(0)->set_subscribers(3);
  v1::ListChannelsResponse page;
  MergeNodes(request, std::move(answers), &page);
  ASSERT_EQ(page.channels_size(), 1);
  EXPECT_EQ(page.channels(0).subscribers(), 5u);
  EXPECT_EQ(page.next_page_token(), "a");
}

TEST(AdminMergeTest, BlocksOfSeveralNodesAreOneList) {
  v1::ListBlocksRequest request;
  std::vector<v1::ListBlocksResponse> answers(2);
  for (int i = 0; i < 2; ++i) {
    v1::ControlEntry* entry = answers[static_cast<size_t>(i)].add_entries();
    entry->set_kind(v1::CONTROL_KIND_USER_BLOCK);
    entry->set_subject("u1");
    entry->set_issued_us(10 - i);
  }
  v1::ListBlocksResponse page;
  MergeNodes(request, std::move(answers), &page);
  ASSERT_EQ(page.entries_size(), 1);
  EXPECT_EQ(page.entries(0).issued_us(), 10) << "the later state";
}

TEST(AdminMergeTest, StatsAreSums) {
  std::vector<v1::GetStatsResponse> answers(2);
  answers[0].set_node_id("a");
  answers[0].set_version("1");
  answers[0].set_connections(2);
  answers[1].set_node_id("b");
  answers[1].set_version("2");
  answers[1].set_connections(3);
  v1::GetStatsResponse stats;
  MergeNodes(v1::GetStatsRequest(), std::move(answers), &stats);
  EXPECT_EQ(stats.connections(), 5u);
  EXPECT_EQ(stats.version(), "1");
  ASSERT_EQ(stats.each_size(), 2);
  EXPECT_EQ(stats.each(1).connections(), 3u);
}

TEST(AdminMergeTest, LevelsOfAllNodesAreSaidAndADryRunChangesNone) {
  const log::Level before = log::GetLevel();
  log::SetLevel(log::Level::kWarn);
  const auto op = MakeSetLogLevel();
  v1::SetLogLevelRequest request;
  request.set_level("error");
  std::vector<std::string> previous;
  for (const bool dry_run : {true, false, true}) {
    request.set_dry_run(dry_run);
    op.local(request, [&](const grpc::Status& status, const v1::SetLogLevelResponse& response) {
      EXPECT_TRUE(status.ok());
      previous.push_back(response.previous());
    });
  }
  log::SetLevel(before);
  EXPECT_EQ(previous, (std::vector<std::string>{"warn", "warn", "error"}));

  std::vector<v1::SetLogLevelResponse> answers(2);
  answers[0].set_node_id("a");
  answers[0].set_previous("info");
  answers[1].set_node_id("b");
  answers[1].set_previous("debug");
  v1::SetLogLevelResponse together;
  op.merge(request, std::move(answers), &together);
  EXPECT_EQ(together.previous(), "info");
  EXPECT_EQ(together.previous_by_node().at("b"), "debug");
}

TEST(AdminMergeTest, ACallIsGoodIfSomeNodesIs) {
  const grpc::Status ok;
  const grpc::Status missing(grpc::StatusCode::NOT_FOUND, "none");
  const grpc::Status away(grpc::StatusCode::UNAVAILABLE, "away");
  EXPECT_TRUE(OutcomeOf({&missing, &ok, &away}).ok());
  EXPECT_EQ(OutcomeOf({&missing, &missing}).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(OutcomeOf({&missing, &away}).error_code(), grpc::StatusCode::UNAVAILABLE)
      << "it might be there";
  EXPECT_EQ(NodeErrorCode(away), "node_unreachable");
  const v1::NodeResult result = NodeResultOf("b", away, 7);
  EXPECT_EQ(result.error_code(), "node_unreachable");
  EXPECT_EQ(result.count(), 0u);
}

}  // namespace
}  // namespace spillway::edge
