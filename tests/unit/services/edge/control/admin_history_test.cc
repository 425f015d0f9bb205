#include "services/edge/control/admin_history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace spillway::edge {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string Mistake(const v1::ChannelHistoryRequest& request) {
  return std::string(HistoryAskOf(request).status().message());
}

class AdminHistoryTest : public testing::Test {
 protected:
  AdminHistoryTest() {
    request_.set_channel("c");
    answer_.places = {{.source = "t/0@0", .after = 9, .until = 20, .slot = 3}};
  }
  // What was read of a slot: these offsets, and all up to `upto`.
  void Read(SlotNumber slot, const std::vector<int64_t>& offsets, int64_t upto,
            std::vector<EdgeReadResult::Gap> gaps = {}) {
    EdgeReadResult result;
    for (int64_t offset : offsets) {
      wire::EventView view;
      view.channels = {"c"};
      view.type = "tick";
      view.payload = payload_;
      view.encoding = v1::PAYLOAD_ENCODING_JSON;
      view.offset = offset;
      view.event_time_us = offset * 1'000;
      result.events.push_back(EdgeEvent::Make(view, slot));
    }
    result.as_of = {{slot, upto}};
    result.gaps = std::move(gaps);
    answer_.results.push_back(std::make_shared<const EdgeReadResult>(std::move(result)));
  }
  // "source:offset" of all events; the page is in response_.
  std::vector<std::string> Page() {
    response_.Clear();
    EXPECT_TRUE(HistoryPage(request_, answer_, &response_).ok());
    std::vector<std::string> events;
    for (const v1::HistoryEvent& event : response_.events()) {
      events.push_back(event.source() + ":" + std::to_string(event.offset()));
    }
    return events;
  }
  std::string Gaps() const {
    std::string text;
    for (const v1::HistoryGap& gap : response_.gaps()) {
      text += gap.source() + ":" + std::to_string(gap.from()) + "-" + std::to_string(gap.to()) +
              " " + gap.reason() + ";";
    }
    return text;
  }

  std::string payload_ = "1";
  v1::ChannelHistoryRequest request_;
  v1::ChannelHistoryResponse response_;
  HistoryAnswer answer_;
};

TEST_F(AdminHistoryTest, RequestsAreChecked) {
  EXPECT_EQ(Mistake(request_), "");
  EXPECT_EQ(HistoryAskOf(request_)->back, 10'000);
  request_.set_channel("c*");
  EXPECT_THAT(Mistake(request_), HasSubstr("channel: 'c*': "));
  request_.set_channel("c");
  request_.set_page_size(1'001);
  EXPECT_THAT(Mistake(request_), HasSubstr("page_size is 1001"));
  request_.set_page_size(0);
  request_.set_back(1'000'001);
  EXPECT_THAT(Mistake(request_), HasSubstr("back is 1000001"));
  request_.set_back(1);
  for (const char* bad : {"x", "t/0@0|1", "t/0@0|1|2|3", "t/0@0|a|2", "t/0@0|-2|2", "|1|2", ";",
                          "t/0@0|1|2;", "b|1|2;a|1|2", "a|1|2;a|1|2"}) {
    request_.set_page_token(bad);
    EXPECT_THAT(Mistake(request_), HasSubstr("page_token is none of ours")) << bad;
  }
  request_.set_page_token("t/0@0|1|2;t/1@0|-1|7");
  const auto ask = HistoryAskOf(request_);
  ASSERT_TRUE(ask.ok());
  ASSERT_EQ(ask->places.size(), 2u);
  EXPECT_EQ(ask->places[1].source, "t/1@0");
  EXPECT_EQ(ask->places[1].after, -1);
  EXPECT_EQ(ask->places[1].until, 7);
}

TEST_F(AdminHistoryTest, APageHasWhatWasReadUpToItsEnd) {
  Read(3, {9, 12, 20, 21}, 25);
  EXPECT_THAT(Page(), ElementsAre("t/0@0:12", "t/0@0:20")) << "neither before nor after";
  EXPECT_EQ(response_.next_page_token(), "");
  EXPECT_EQ(response_.events(0).payload(), "1");
  EXPECT_EQ(response_.events(0).time_ms(), 12);
  EXPECT_EQ(response_.events(0).type(), "tick");
}

TEST_F(AdminHistoryTest, PagesGoOnWhereTheyEnded) {
  answer_.places.push_back({.source = "t/1@0", .after = 0, .until = 5, .slot = 4});
  Read(3, {10, 11, 12}, 20);
  Read(4, {1, 2}, 5);
  request_.set_page_size(2);
  EXPECT_THAT(Page(), ElementsAre("t/0@0:10", "t/0@0:11"));
  EXPECT_EQ(response_.next_page_token(), "t/0@0|11|20;t/1@0|0|5");
  request_.set_page_token(response_.next_page_token());
  answer_.places = HistoryAskOf(request_)->places;
  answer_.places[0].slot = 3;
  answer_.places[1].slot = 4;
  EXPECT_THAT(Page(), ElementsAre("t/0@0:12", "t/1@0:1"));
  EXPECT_EQ(response_.next_page_token(), "t/0@0|20|20;t/1@0|1|5");
  request_.set_page_token(response_.next_page_token());
  answer_.places = HistoryAskOf(request_)->places;
  answer_.places[0].slot = 3;
  answer_.places[1].slot = 4;
  EXPECT_THAT(Page(), ElementsAre("t/1@0:2"));
  EXPECT_EQ(response_.next_page_token(), "");
}

// An ingest answers in bounded pieces.
TEST_F(AdminHistoryTest, APageMayBeEmptyAndNotTheLast) {
  Read(3, {}, 15);
  EXPECT_THAT(Page(), IsEmpty());
  EXPECT_EQ(response_.next_page_token(), "t/0@0|15|20");
}

TEST_F(AdminHistoryTest, LargePayloadsEndAPage) {
  payload_ = "\"" + std::string(600'000, 'x') + "\"";
  Read(3, {10, 11, 12}, 20);
  EXPECT_THAT(Page(), ElementsAre("t/0@0:10", "t/0@0:11"));
  EXPECT_EQ(response_.next_page_token(), "t/0@0|11|20");
}

TEST_F(AdminHistoryTest, GapsAreToldInTheirPage) {
  Read(3, {14, 16}, 20, {{3, 0, 12, "retention"}, {3, 15, 15, "compacted"}, {3, 19, 40, "limit"}});
  request_.set_page_size(1);
  EXPECT_THAT(Page(), ElementsAre("t/0@0:14"));
  EXPECT_EQ(Gaps(), "t/0@0:10-12 retention;t/0@0:15-15 compacted;");
  EXPECT_EQ(response_.next_page_token(), "t/0@0|15|20");
  answer_.places[0].after = 15;
  EXPECT_THAT(Page(), ElementsAre("t/0@0:16"));
  EXPECT_EQ(Gaps(), "t/0@0:19-20 limit;") << "no further than it was to be read";
  EXPECT_EQ(response_.next_page_token(), "");
}

TEST_F(AdminHistoryTest, ASourceThatIsGoneIsAGap) {
  answer_.places[0].slot = kNoSlot;
  EXPECT_THAT(Page(), IsEmpty());
  EXPECT_EQ(Gaps(), "t/0@0:10-20 reset;");
  EXPECT_EQ(response_.next_page_token(), "");
}

TEST_F(AdminHistoryTest, WhatCannotBeReadIsAnError) {
  using Outcome = HistoryAnswer::Outcome;
  for (const auto& [outcome, code] : {std::pair(Outcome::kNotFed, grpc::StatusCode::NOT_FOUND),
                                      {Outcome::kUnknown, grpc::StatusCode::UNAVAILABLE},
                                      {Outcome::kBusy, grpc::StatusCode::RESOURCE_EXHAUSTED},
                                      {Outcome::kFailed, grpc::StatusCode::UNAVAILABLE},
                                      {Outcome::kStopping, grpc::StatusCode::UNAVAILABLE}}) {
    answer_.outcome = outcome;
    const grpc::Status status = HistoryPage(request_, answer_, &response_);
    EXPECT_EQ(status.error_code(), code);
    EXPECT_FALSE(status.error_message().empty());
  }
}

}  // namespace
}  // namespace spillway::edge
