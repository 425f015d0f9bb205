// What a client acknowledges.
#include "tests/unit/services/edge/session/session_fixture.h"

namespace spillway::edge {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(SessionTest, ShowsWhatItWasSentAndWhatItsClientHas) {
  OfferSlot("price:*", false);
  Build(Open());
  Client client = Connect();
  client.Says(R"({"type":"subscribe","channels":["price:A"]})");
  hub_.OnInterest("price:A", 3, 99, clock_.Now());
  const auto deliver = [&](int64_t offset) {
    EdgeBatch batch;
    batch.events = {EventOf("price:A", offset, "1")};
    batch.progress = {{3, offset, 7}};
    hub_.OnBatch(batch, clock_.Now());
  };
  deliver(100);
  EXPECT_FALSE(client.session->Lag().acknowledges);
  client.Take();
  client.Says(R"({"type":"ack","positions":{"price:A":[{"slot":3,"offset":100}]}})");
  EXPECT_THAT(client.Take(), IsEmpty());
  deliver(101);
  clock_.Advance(std::chrono::milliseconds(40));
  deliver(102);
  SessionLag lag = client.session->Lag();
  EXPECT_TRUE(lag.acknowledges);
  EXPECT_EQ(lag.unacknowledged, 2u);
  EXPECT_EQ(lag.unacknowledged_age, std::chrono::milliseconds(40));
  // An entry as a client keeps it; slots that it does not have are passed over.
  client.Says(R"({"type":"ack","positions":{"price:A":[)"
              R"({"slot":3,"source":"ticks/0@0","offset":101,"fp":5,"fp_offset":99},)"
              R"({"slot":9,"offset":7},{"slot":4,"source":"ticks/1@0","pending":true}]}})");
  lag = client.session->Lag();
  EXPECT_EQ(lag.unacknowledged, 1u);
  EXPECT_EQ(lag.unacknowledged_age, std::chrono::milliseconds(0));
  const auto positions = client.session->PositionsIn("price:A");
  ASSERT_THAT(positions, SizeIs(1));
  EXPECT_EQ(positions[0].channel, "price:A");
  EXPECT_EQ(positions[0].source, "ticks/0@0");
  EXPECT_EQ(positions[0].delivered, 102);
  EXPECT_EQ(positions[0].acknowledged, 101);
  client.Take();
  client.Says(R"({"type":"ack","id":5,"positions":{"price:X":[{"slot":3,"offset":1}]}})");
  EXPECT_THAT(client.TakeOne(), HasSubstr(R"("id":5,"code":"not_subscribed")"));
  client.Says(R"({"type":"unsubscribe","channels":["price:A"]})");
  EXPECT_EQ(client.session->Lag().unacknowledged, 0u);
}

}  // namespace
}  // namespace spillway::edge
