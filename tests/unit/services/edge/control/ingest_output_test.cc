#include "services/edge/control/ingest_output.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"

namespace spillway::edge {
namespace {

// Ingests that cannot be reached: what is asked for is a channel to each.
class IngestOutputTest : public ::testing::Test {
 protected:
  std::vector<std::string> linked_;
  std::vector<std::string> asked_;
  NodeCalls calls_{{}, [this](const std::string& address) {
                     asked_.push_back(address);
                     return absl::UnavailableError("cannot be reached");
                   }};
  IngestOutput output_{{.node_id = "edge-1"}, calls_, [this] { return linked_; }};
};

TEST_F(IngestOutputTest, WithoutAnIngestItSaysSo) {
  EXPECT_TRUE(absl::IsUnavailable(output_.Write({"{}"})));
  EXPECT_TRUE(asked_.empty());
}

TEST_F(IngestOutputTest, EveryIngestIsAskedInTurn) {
  linked_ = {"a", "b", "c"};
  const absl::Status status = output_.Write({"{}"});
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_TRUE(absl::StrContains(status.message(), "c: ")) << status;
  EXPECT_EQ(asked_, (std::vector<std::string>{"a", "b", "c"}));
}

// At the end of a node its links end before its last lines are written.
TEST_F(IngestOutputTest, ThoseOfBeforeAreAskedWhenNoneIsLinked) {
  linked_ = {"a"};
  (void)output_.Write({"{}"});
  linked_.clear();
  (void)output_.Write({"{}"});
  EXPECT_EQ(asked_, (std::vector<std::string>{"a", "a"}));
}

}  // namespace
}  // namespace spillway::edge
