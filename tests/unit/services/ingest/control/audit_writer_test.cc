#include "services/ingest/control/audit_writer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "services/ingest/control/audit_service.h"

namespace spillway::ingest {
namespace {

// The topic is played: what is produced is kept, and acknowledged when the test says so.
class AuditWriterTest : public testing::Test {
 protected:
  struct Produced {
    std::string key;
    std::string value;
    Producer::Callback done;
  };

  void Write(const std::vector<std::string>& lines) {
    writer_.Write("edge-1", lines, [this](const absl::Status& status) { done_.push_back(status); });
  }

  std::vector<Produced> produced_;
  size_t room_ = 100;
  int missing_ = 0;
  std::vector<absl::Status> done_;
  AuditWriter writer_{"audit",
                      [this](const ProduceRequest& request, Producer::Callback done) {
                        EXPECT_EQ(request.topic, "audit");
                        if (produced_.size() >= room_) {
                          return absl::ResourceExhaustedError("full");
                        }
                        produced_.push_back({std::string(*request.key), std::string(*request.value),
                                             std::move(done)});
                        return absl::OkStatus();
                      },
                      [this] { ++missing_; }};
};

TEST_F(AuditWriterTest, IsDoneWhenKafkaHasAllLines) {
  Write({"{1}", "{2}"});
  ASSERT_EQ(produced_.size(), 2u);
  EXPECT_EQ(produced_[0].key, "edge-1");
  EXPECT_EQ(produced_[1].value, "{2}");
  produced_[1].done(ProducedAt{});
  EXPECT_TRUE(done_.empty());
  produced_[0].done(ProducedAt{});
  ASSERT_EQ(done_.size(), 1u);
  EXPECT_TRUE(done_[0].ok());
  EXPECT_EQ(writer_.counters().written.Value(), 2u);
}

TEST_F(AuditWriterTest, OneLineThatFailsFailsAll) {
  Write({"{1}", "{2}"});
  produced_[0].done(absl::DeadlineExceededError("late"));
  produced_[1].done(ProducedAt{});
  ASSERT_EQ(done_.size(), 1u);
  EXPECT_TRUE(absl::IsDeadlineExceeded(done_[0]));
  EXPECT_EQ(writer_.counters().failed.Value(), 1u);
}

TEST_F(AuditWriterTest, BehindALineWithoutRoomNoneIsWritten) {
  room_ = 1;
  Write({"{1}", "{2}", "{3}"});
  EXPECT_EQ(produced_.size(), 1u);
  EXPECT_TRUE(done_.empty());
  room_ = 100;
  produced_[0].done(ProducedAt{});
  ASSERT_EQ(done_.size(), 1u);
  EXPECT_TRUE(absl::IsResourceExhausted(done_[0]));
  EXPECT_EQ(produced_.size(), 1u);
}

TEST_F(AuditWriterTest, ATopicThatIsMissingIsLookedAt) {
  Write({"{1}"});
  produced_[0].done(absl::NotFoundError("no topic"));
  EXPECT_EQ(missing_, 1);
}

TEST_F(AuditWriterTest, AnOutputThatIsCancelledDoesNotWait) {
  AuditTopicOutput output(writer_, "ingest-1");
  output.Cancel();
  EXPECT_TRUE(absl::IsCancelled(output.Write({"{1}"})));
  produced_[0].done(ProducedAt{});  // nobody waits for it any more
}

v1::WriteAuditRequest RequestOf(const std::vector<std::string>& lines) {
  v1::WriteAuditRequest request;
  request.set_node_id("edge-1");
  for (const std::string& line : lines) request.add_lines(line);
  return request;
}

// A caller cannot have lines in the topic that look like two, or like none.
TEST(AuditService, TakesOnlyWholeLines) {
  EXPECT_TRUE(CheckAuditLines(RequestOf({R"({"a":1})"})).ok());
  const std::vector<std::string> bad = {"",
                                        "x",
                                        "{\"a\":1}\n{\"b\":2}",
                                        "{\"a\":\"\r\"}",
                                        "[1]",
                                        std::string(AuditService::kMaxLineBytes, '{') + "}"};
  for (const std::string& line : bad) {
    EXPECT_TRUE(absl::IsInvalidArgument(CheckAuditLines(RequestOf({line})))) << line;
  }
  EXPECT_FALSE(CheckAuditLines(RequestOf({})).ok());
  EXPECT_FALSE(CheckAuditLines(RequestOf(std::vector<std::string>(1'001, "{}"))).ok());
  v1::WriteAuditRequest nobody = RequestOf({"{}"});
  nobody.clear_node_id();
  EXPECT_FALSE(CheckAuditLines(nobody).ok());
}

}  // namespace
}  // namespace spillway::ingest
