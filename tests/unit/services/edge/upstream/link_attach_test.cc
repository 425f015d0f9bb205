// LinkCore: catalogue, placement, failover, moves.

#include <gmock/gmock.h>

#include "tests/unit/services/edge/upstream/link_core_fakes.h"

namespace spillway::edge {
namespace {

using std::chrono::milliseconds;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

class LinkAttach : public LinkCoreTest {};

TEST_F(LinkAttach, SaysHelloThenItsWholeInterestThenAttaches) {
  Want(0, "c");
  core_->OnLinkUp(1, now_);
  EXPECT_THAT(sink_.Take(1), ElementsAre("hello"));
  Hello(1, "ingest-1");
  EXPECT_THAT(sink_.Take(1), ElementsAre("interest 1 full +c"));
  Catalogue(1, {0, 1});
  EXPECT_THAT(sink_.Take(1), ElementsAre("attach 10#1 end", "attach 11#2 end"));
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("slots t/0@0 t/1@0"));
}

// Others are to send no clients to a node that lets its own go.
TEST_F(LinkAttach, ThatItIsDrainingIsToldOnEveryLink) {
  Open(1, {0});
  sink_.Take(1);
  core_->SetDraining(false);
  EXPECT_THAT(sink_.Take(1), IsEmpty()) << "no news";
  core_->SetDraining(true);
  core_->SetDraining(true);
  EXPECT_THAT(sink_.Take(1), ElementsAre("draining"));
  core_->OnLinkUp(2, now_);
  EXPECT_THAT(sink_.Take(2), ElementsAre("hello draining"));
  core_->SetDraining(false);
  EXPECT_THAT(sink_.Take(1), ElementsAre("serving"));
  EXPECT_THAT(sink_.Take(2), ElementsAre("serving"));
}

TEST_F(LinkAttach, AnIngestsFirstWordIsHello) {
  core_->OnLinkUp(1, now_);
  Catalogue(1, {0});
  EXPECT_THAT(sink_.TakePosted(), IsEmpty());
}

TEST_F(LinkAttach, AnUnknownProtocolIsRefused) {
  core_->OnLinkUp(1, now_);
  v1::LinkResponse response;
  response.mutable_hello()->set_protocol(2);
  Deliver(1, response);
  EXPECT_THAT(sink_.closed, ElementsAre(testing::Pair(1, "link_protocol")));
  EXPECT_THAT(sink_.reports, ElementsAre("link_protocol"));
}

TEST_F(LinkAttach, TwoAddressesOfOneIngestAreOneLink) {
  Open(1, {0});
  core_->OnLinkUp(2, now_);
  Hello(2, "ingest-1");
  EXPECT_THAT(sink_.closed, ElementsAre(testing::Pair(2, "link_duplicate")));
  EXPECT_EQ(core_->Status(now_).links.size(), 1u);
}

TEST_F(LinkAttach, CataloguesAreMergedWhateverTheirNumbers) {
  Open(1, {0, 1});
  Open(2, {1, 0});
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("slots t/0@0 t/1@0"));
  Open(3, {2});
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("slots t/0@0 t/1@0 t/2@0"));
}

TEST_F(LinkAttach, EveryEdgeComesToTheSameChoice) {
  // Whatever the order in which an edge met the ingests: when the one that it is attached to goes,
  // it chooses the same of the others.
  std::vector<LinkId> chosen;
  for (const std::vector<LinkId>& order : {std::vector<LinkId>{3, 1, 2}, {3, 2, 1}}) {
    Build({});
    for (LinkId link : order) Open(link, {0});
    EXPECT_EQ(AttachedTo(), 3u);
    core_->OnLinkDown(3, now_);
    chosen.push_back(AttachedTo());
  }
  EXPECT_NE(chosen[0], 0u);
  EXPECT_EQ(chosen[0], chosen[1]);
}

TEST_F(LinkAttach, RendezvousSpreadsPartitions) {
  std::vector<int32_t> partitions;
  for (int32_t n = 0; n < 9; ++n) partitions.push_back(n);
  for (LinkId link : {3u, 1u, 2u}) Open(link, partitions);
  for (LinkId link : {1u, 2u, 3u}) sink_.Take(link);
  core_->OnLinkDown(3, now_);
  EXPECT_GT(sink_.Take(1).size(), 1u);
  EXPECT_GT(sink_.Take(2).size(), 1u);
}

TEST_F(LinkAttach, TheNewestRouteConfigurationIsPreferred) {
  core_->OnLinkUp(1, now_);
  core_->OnLinkUp(2, now_);
  Hello(1, "ingest-1", /*route_time_us=*/5, "old");
  Hello(2, "ingest-2", /*route_time_us=*/6, "new");
  Beat(1);
  Beat(2);
  std::vector<int32_t> partitions{0, 1, 2, 3, 4, 5, 6, 7};
  Catalogue(2, partitions);
  Catalogue(1, partitions);
  for (const std::string& line : sink_.Take(1)) EXPECT_FALSE(line.starts_with("attach")) << line;
}

TEST_F(LinkAttach, TheFirstPlacementWaitsForIngestsThatHaveNotAnswered) {
  core_->OnLinkUp(1, now_);
  core_->OnLinkUp(2, now_);
  Hello(1, "ingest-1");
  Catalogue(1, {0, 1, 2, 3, 4, 5, 6, 7});
  Pass(std::chrono::milliseconds(900), {1});
  EXPECT_EQ(AttachedTo(), 0u) << "ingest-2 may be the better place";
  Hello(2, "ingest-2");
  EXPECT_EQ(AttachedTo(), 0u) << "what it serves is not known";
  Catalogue(2, {0, 1, 2, 3, 4, 5, 6, 7});
  EXPECT_THAT(sink_.Take(1), Contains(StartsWith("attach ")));
  EXPECT_THAT(sink_.Take(2), Contains(StartsWith("attach ")));
}

TEST_F(LinkAttach, TheFirstPlacementWaitsForAnAddressThatIsNotLinked) {
  core_->ExpectLinks(2);
  Open(1, {0});
  Pass(std::chrono::milliseconds(500), {1});
  EXPECT_EQ(AttachedTo(), 0u);
  core_->ExpectLinks(1);  // the other was one more address of the same ingest
  Pass(std::chrono::milliseconds(50), {1});
  EXPECT_EQ(AttachedTo(), 1u);
}

TEST_F(LinkAttach, TheFirstPlacementWaitsNoLongerThanASecond) {
  core_->ExpectLinks(3);
  Pass(std::chrono::seconds(10));  // before the first catalogue there is nothing to place
  Open(1, {0});
  Pass(std::chrono::milliseconds(950), {1});
  EXPECT_EQ(AttachedTo(), 0u);
  Pass(std::chrono::milliseconds(50), {1});
  EXPECT_EQ(AttachedTo(), 1u);
}

TEST_F(LinkAttach, AnIngestThatCannotBeReachedIsNotWaitedFor) {
  core_->OnLinkUp(1, now_);
  core_->OnLinkUp(2, now_);
  Hello(1, "ingest-1");
  Catalogue(1, {0});
  EXPECT_EQ(AttachedTo(), 0u);
  core_->OnLinkDown(2, now_);
  EXPECT_EQ(AttachedTo(), 1u);
}

TEST_F(LinkAttach, AfterTheFirstPlacementNobodyIsWaitedFor) {
  OneAttached();
  core_->ExpectLinks(3);
  core_->OnLinkUp(2, now_);
  Open(3, {0});
  core_->OnLinkDown(1, now_);
  EXPECT_EQ(AttachedTo(), 3u) << "a failover, with ingest-2 still to answer";
}

TEST_F(LinkAttach, ALinkThatGoesFailsOverAfterWhatWasTaken) {
  OneAttached();
  Open(2, {0});
  EXPECT_EQ(AttachedTo(), 0u);
  Want(0, "c");
  SendBatch(1, Batch(10, 1, {12}, 15));
  core_->OnLinkDown(1, now_);
  EXPECT_THAT(sink_.Take(2), ElementsAre("attach 20#2 after 15"));
  EXPECT_EQ(core_->counters().failovers, 1u);
}

TEST_F(LinkAttach, ThreeSecondsOfSilenceEndALink) {
  OneAttached();
  Open(2, {0});
  sink_.Take(2);
  Pass(milliseconds(2'999), {2});
  EXPECT_THAT(sink_.closed, IsEmpty());
  Pass(milliseconds(1), {2});
  EXPECT_THAT(sink_.closed, ElementsAre(testing::Key(1)));
  EXPECT_THAT(sink_.Take(2), ElementsAre("attach 20#2 after 9"));
}

TEST_F(LinkAttach, AStalledReaderIsLeftForOneThatReads) {
  OneAttached();
  Open(2, {0});
  sink_.Take(2);
  Beat(1, true, {Stalled(10, 1, 1'999)});
  Pass(milliseconds(0));
  EXPECT_THAT(sink_.Take(2), IsEmpty());
  Pass(milliseconds(1));
  EXPECT_THAT(sink_.Take(1), ElementsAre("detach 10#1"));
  EXPECT_THAT(sink_.Take(2), ElementsAre("attach 20#2 after 9"));
}

TEST_F(LinkAttach, WhenKafkaIsAwayForAllNobodyMoves) {
  OneAttached();
  Open(2, {0});
  sink_.Take(2);
  Beat(2, /*kafka_up=*/false);
  Beat(1, /*kafka_up=*/false, {Stalled(10, 1, 60'000)});
  Pass(milliseconds(100));
  EXPECT_THAT(sink_.Take(1), IsEmpty());
  EXPECT_THAT(sink_.Take(2), IsEmpty());
  EXPECT_FALSE(core_->Status(now_).kafka_up);
}

TEST_F(LinkAttach, AnAttachThatIsNotAnsweredGoesElsewhere) {
  Open(1, {0});
  sink_.Take(1);
  Open(2, {0});
  sink_.Take(2);
  Pass(milliseconds(2'500), {1, 2});
  EXPECT_EQ(AttachedTo(), 0u);
  Pass(milliseconds(500), {1, 2});
  EXPECT_THAT(sink_.Take(1), ElementsAre("detach 10#1"));
  EXPECT_THAT(sink_.Take(2), ElementsAre("attach 20#2 end"));
  Attached(1, 10, 1, 50);  // too late: void
  EXPECT_EQ(core_->Status(now_).slots[0].taken, -1);
}

TEST_F(LinkAttach, WhoRefusesIsLeftAloneForAWhile) {
  Open(1, {0});
  sink_.Take(1);
  Refused(1, 10, 1, "kafka");
  EXPECT_THAT(sink_.Take(1), IsEmpty());
  Pass(milliseconds(2'500), {1});
  Pass(milliseconds(2'400), {1});
  EXPECT_THAT(sink_.Take(1), IsEmpty());
  Pass(milliseconds(100), {1});
  EXPECT_THAT(sink_.Take(1), ElementsAre("attach 10#2 end"));
}

TEST_F(LinkAttach, ALostPositionIsNobodysFault) {
  OneAttached();
  Refused(1, 10, 1, "lost_position");
  EXPECT_THAT(sink_.Take(1), ElementsAre("attach 10#2 after 9"));
}

TEST_F(LinkAttach, AGapInTheAnswerIsTold) {
  OneAttached();
  Refused(1, 10, 1, "lost_position");
  v1::LinkResponse response;
  v1::Attached* attached = response.mutable_attached();
  attached->set_slot(10);
  attached->set_attach_id(2);
  attached->set_after(49);
  attached->set_interest_sequence(1);
  attached->mutable_gap()->set_from(10);
  attached->mutable_gap()->set_to(49);
  attached->mutable_gap()->set_reason("retention");
  Deliver(1, response);
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("gap 0:10..49 retention", "batch 0<=49"));
}

TEST_F(LinkAttach, APlannedMoveIsPreparedAndNeverTwoStreams) {
  // Two routes: ingest 2 has the newer one, so the partition belongs there.
  Want(0, "c");
  Open(1, {0}, 1, "old");
  Attached(1, 10, 1, 9);
  Open(2, {0}, 2, "new");
  sink_.Take(1);
  sink_.Take(2);
  for (int n = 0; n < 14; ++n) Pass(milliseconds(2'000), {1, 2});
  EXPECT_THAT(sink_.Take(2), IsEmpty());  // 30 s of stability
  Lines asked;
  for (int n = 0; n < 100 && asked.empty(); ++n) {  // and jitter
    Pass(milliseconds(100), {1, 2});
    asked = sink_.Take(2);
    if (n < 19) {
      EXPECT_THAT(asked, IsEmpty());
    }
  }
  EXPECT_THAT(asked, ElementsAre("prepare 20 after 9"));
  EXPECT_THAT(sink_.Take(1), IsEmpty());
  SendBatch(1, Batch(10, 1, {12}, 12));  // the old one goes on meanwhile
  Prepared(2, 20, 9);
  EXPECT_THAT(sink_.Take(2), ElementsAre("attach 20#2 after 12"));
  EXPECT_THAT(sink_.Take(1), ElementsAre("detach 10#1"));
  sink_.TakePosted();
  SendBatch(1, Batch(10, 1, {13}, 13));  // void
  EXPECT_THAT(sink_.TakePosted(), IsEmpty());
  EXPECT_EQ(core_->counters().moves, 1u);
}

TEST_F(LinkAttach, AYoungPartitionIsTakenFromItsBeginning) {
  OneAttached();
  Catalogue(1, {0}, /*young=*/{1});
  EXPECT_THAT(sink_.Take(1), ElementsAre("attach 11#2 begin"));
}

TEST_F(LinkAttach, InTheFirstCatalogueNothingIsYoung) {
  core_->OnLinkUp(1, now_);
  Hello(1, "ingest-1");
  sink_.Take(1);
  Catalogue(1, {}, /*young=*/{0});
  EXPECT_THAT(sink_.Take(1), ElementsAre("attach 10#1 end"));
}

TEST_F(LinkAttach, ASlotIsDroppedWhenAllCataloguesLostIt) {
  Open(1, {0, 1});
  Open(2, {0, 1});
  sink_.TakePosted();
  Catalogue(1, {0});
  EXPECT_THAT(sink_.TakePosted(), IsEmpty());
  Catalogue(2, {0});
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("slots t/0@0 -"));
  // Numbers are never used again.
  Catalogue(1, {0, 1});
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("slots t/0@0 - t/1@1"));
}

TEST_F(LinkAttach, ASlotThatItsIngestLostIsTakenFromAnother) {
  OneAttached();
  Open(2, {0});
  sink_.Take(2);
  Catalogue(1, {});
  EXPECT_THAT(sink_.Take(2), ElementsAre("attach 20#2 after 9"));
  Pass(milliseconds(100), {1, 2});
}

TEST_F(LinkAttach, ASlotThatGotAnotherNumberIsAttachedAnew) {
  OneAttached();
  v1::LinkResponse response;
  v1::Catalogue* catalogue = response.mutable_catalogue();
  catalogue->set_complete(true);
  v1::CatalogueTopic* topic = catalogue->add_topics();
  topic->set_topic("t");
  topic->add_feeds()->set_pattern("c");
  topic->add_slots()->set_slot(77);
  Deliver(1, response);
  EXPECT_THAT(sink_.Take(1), ElementsAre("attach 77#2 after 9"));
}

TEST_F(LinkAttach, AnIncompleteCatalogueTellsProblemsOnly) {
  OneAttached();
  v1::LinkResponse response;
  v1::TopicProblem* problem = response.mutable_catalogue()->add_problems();
  problem->set_topic("missing-topic");
  problem->set_code("missing");
  Deliver(1, response);
  EXPECT_THAT(sink_.TakePosted(), IsEmpty());
  ASSERT_EQ(core_->Status(now_).problems.size(), 1u);
  EXPECT_EQ(core_->Status(now_).problems[0].first, "missing-topic");
  EXPECT_TRUE(core_->Status(now_).slots[0].attached);
}

}  // namespace
}  // namespace spillway::edge
