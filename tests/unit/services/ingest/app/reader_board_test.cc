#include "services/ingest/app/reader_board.h"

#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "tests/support/fake_clock.h"

namespace spillway::ingest {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;

class ReaderBoardTest : public testing::Test {
 protected:
  static ReaderReport Reading(SlotId slot, int32_t partition, int64_t lag = 0) {
    ReaderReport report;
    report.status.slot = slot;
    report.status.reading = true;
    report.status.head = 10;
    report.status.lag = lag;
    report.topic = "ticks";
    report.partition = partition;
    return report;
  }
  ReaderReport Stalled(SlotId slot, int32_t partition) {
    ReaderReport report = Reading(slot, partition);
    report.status.stalled = true;
    report.status.since = clock_.Now() - 5s;
    report.status.reason = "topic_denied";
    return report;
  }
  std::string Document() { return readiness_.Render().json; }

  test::FakeClock clock_;
  lifecycle::Readiness readiness_{clock_, {}};
  ReaderBoard board_{clock_, readiness_};
};

TEST_F(ReaderBoardTest, NamesStalledReadersAndStaysReady) {
  board_.Report(0, {Reading(1, 0)});
  EXPECT_THAT(Document(), HasSubstr(R"("stalled_readers":[])"));
  EXPECT_THAT(Document(), HasSubstr(R"("readers":"reading")"));
  board_.Report(1, {Stalled(2, 1)});
  EXPECT_TRUE(readiness_.ready());
  EXPECT_THAT(Document(), HasSubstr(R"("status":"degraded")"));
  EXPECT_THAT(Document(), HasSubstr(R"("readers":"1 stalled")"));
  EXPECT_THAT(Document(), HasSubstr(R"("details":{"readers":"ticks/1: topic_denied"})"));
  const std::string named =
      R"("stalled_readers":[{"topic":"ticks","partition":1,"since":"2025-12-31T23:59:55.000Z",)"
      R"("reason":"topic_denied"}])";
  EXPECT_THAT(Document(), HasSubstr(named));
  // Another shard's word changes nothing about it, nor does time.
  clock_.Advance(1s);
  board_.Report(0, {Reading(1, 0)});
  EXPECT_THAT(Document(), HasSubstr(named));
  board_.Report(1, {Reading(2, 1)});
  EXPECT_THAT(Document(), HasSubstr(R"("stalled_readers":[])"));
  EXPECT_THAT(Document(), HasSubstr(R"("status":"ready")"));
}

TEST_F(ReaderBoardTest, NamesNoMoreThanItsBound) {
  std::vector<ReaderReport> reports;
  for (uint32_t i = 0; i < ReaderBoard::kNamed + 1; ++i) {
    reports.push_back(Stalled(i, static_cast<int32_t>(i)));
  }
  board_.Report(0, reports);
  EXPECT_THAT(Document(), HasSubstr(absl::StrCat(ReaderBoard::kNamed + 1, " stalled")));
  EXPECT_THAT(Document(), HasSubstr(R"("partition":99,)"));
  EXPECT_THAT(Document(), Not(HasSubstr(R"("partition":100,)")));
  EXPECT_THAT(Document(), HasSubstr("ticks/4: topic_denied, ...\""));
}

TEST_F(ReaderBoardTest, WatchesWhatIsReadWhileKafkaIsUp) {
  ReaderReport waits = Stalled(3, 2);  // its take-up fails
  waits.status.reading = false;
  board_.Report(0, {Reading(1, 0), waits});
  board_.Report(1, {Stalled(2, 1)});
  EXPECT_THAT(board_.Watched(), IsEmpty());
  board_.SetKafkaUp(true);
  const auto watched = board_.Watched();
  ASSERT_EQ(watched.size(), 2u);
  EXPECT_EQ(watched[0].id, 1u);
  EXPECT_EQ(watched[1].id, 2u);
  EXPECT_EQ(watched[1].topic, "ticks");
  EXPECT_EQ(watched[1].partition, 1);
  board_.SetKafkaUp(false);
  EXPECT_THAT(board_.Watched(), IsEmpty());
}

TEST_F(ReaderBoardTest, SumsTheLagOfATopic) {
  board_.Report(0, {Reading(1, 0, 5), Reading(2, 1, -1)});
  board_.Report(1, {Reading(3, 2, 7)});
  EXPECT_EQ(board_.Lags(), (std::map<std::string, int64_t>{{"ticks", 12}}));
}

}  // namespace
}  // namespace spillway::ingest
