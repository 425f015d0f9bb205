#include "services/edge/control/members.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/fake_clock.h"

namespace spillway::edge {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class MembersTest : public testing::Test {
 protected:
  static v1::Membership Told(const std::vector<std::string>& edges) {
    v1::Membership membership;
    membership.add_nodes()->set_node_id("ingest-1");
    membership.mutable_nodes(0)->set_kind(v1::NODE_KIND_INGEST);
    for (const std::string& edge : edges) {
      v1::Node* node = membership.add_nodes();
      node->set_node_id(edge);
      node->set_kind(v1::NODE_KIND_EDGE);
    }
    return membership;
  }
  std::string Peers() {
    std::string text;
    for (const v1::Node& node : members_.Peers()) text += node.node_id() + " ";
    return text;
  }

  test::FakeClock clock_;
  Members members_{{.node_id = "a", .max_nodes = 4}, clock_};
};

TEST_F(MembersTest, AreTheOtherEdges) {
  members_.OnMembership("ingest-1", Told({"a", "b", "c"}));
  EXPECT_EQ(Peers(), "b c ");
  EXPECT_EQ(members_.Others().size(), 3u) << "the ingest, too";
}

TEST_F(MembersTest, ClientsAreSentToThoseThatTakeThem) {
  v1::Membership told = Told({"a", "b", "c", "d"});
  for (v1::Node& node : *told.mutable_nodes()) {
    node.mutable_addresses()->set_public_address(node.node_id() + ":8080");
  }
  told.mutable_nodes(2)->set_draining(true);
  told.mutable_nodes(4)->mutable_addresses()->clear_public_address();
  members_.OnMembership("ingest-1", told);
  EXPECT_EQ(Peers(), "b c d ") << "a call asks it, too";
  EXPECT_EQ(members_.PublicAddresses(), std::vector<std::string>{"c:8080"});
}

// What it said last may long be over.
TEST_F(MembersTest, NobodyIsSentToAnEdgeOfWhichOnlyALostIngestTold) {
  v1::Membership told = Told({"b", "c"});
  for (v1::Node& node : *told.mutable_nodes()) {
    node.mutable_addresses()->set_public_address(node.node_id() + ":8080");
  }
  members_.OnMembership("ingest-1", told);
  told.mutable_nodes()->RemoveLast();
  members_.OnMembership("ingest-2", told);
  members_.OnIngestGone("ingest-1");
  EXPECT_EQ(Peers(), "b c ") << "it is asked, and named if it does not answer";
  EXPECT_EQ(members_.PublicAddresses(), std::vector<std::string>{"b:8080"});
}

TEST_F(MembersTest, OneThatIsGoneIsNamedForAWhile) {
  members_.OnMembership("ingest-1", Told({"a", "b"}));
  members_.OnMembership("ingest-1", Told({"a"}));
  EXPECT_EQ(Peers(), "b ");
  clock_.Advance(seconds(29));
  EXPECT_EQ(Peers(), "b ");
  clock_.Advance(seconds(1));
  EXPECT_EQ(Peers(), "");
}

TEST_F(MembersTest, OneThatAnotherIngestTellsOfStays) {
  members_.OnMembership("ingest-1", Told({"b"}));
  members_.OnMembership("ingest-2", Told({"b"}));
  members_.OnMembership("ingest-1", Told({}));
  clock_.Advance(minutes(60));
  EXPECT_EQ(Peers(), "b ");
}

TEST_F(MembersTest, AreKeptForSomeTimeWhenIngestsVanish) {
  members_.OnMembership("ingest-1", Told({"b"}));
  members_.OnIngestGone("ingest-1");
  clock_.Advance(minutes(9));
  EXPECT_EQ(Peers(), "b ");
  clock_.Advance(minutes(1));
  Peers();
  clock_.Advance(seconds(30));
  EXPECT_EQ(Peers(), "");
}

TEST_F(MembersTest, AreBounded) {
  members_.OnMembership("ingest-1", Told({"b", "c", "d", "e", "f"}));
  EXPECT_EQ(Peers(), "b c d ") << "with the ingest four";
  EXPECT_EQ(members_.left_out(), 2u);
}

}  // namespace
}  // namespace spillway::edge
