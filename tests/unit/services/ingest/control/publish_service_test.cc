// PublishService: what it refuses, with which code, before Kafka or any edge hears of it.

#include "services/ingest/control/publish_service.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "tests/support/fake_clock.h"

namespace spillway::ingest {
namespace {

class PublishServiceTest : public testing::Test {
 protected:
  PublishServiceTest() {
    options_.max_message_bytes = 100;
    options_.max_ephemeral_bytes = 80;
    options_.max_channels = 3;
  }

  // The answer, which comes exactly once.
  v1::PublishResult Publish(const v1::Publication& publication) {
    PublishService service(options_, clock_, hub_, /*producer=*/nullptr);
    const PublishService::Publisher publisher{.grant = grant_, .name = "shop"};
    std::optional<v1::PublishResult> answer;
    service.PublishOne(publisher, publication, [&](v1::PublishResult result) {
      EXPECT_FALSE(answer.has_value()) << "answered twice";
      answer = std::move(result);
    });
    refused_ = service.counters().refused.load();
    ephemeral_ = service.counters().ephemeral.load();
    if (!answer.has_value()) ADD_FAILURE() << "not answered";
    return answer.value_or(v1::PublishResult());
  }
  // The code of a refusal, empty if there is none. A refusal is counted and has words.
  std::string Code(const v1::Publication& publication) {
    const v1::PublishResult result = Publish(publication);
    EXPECT_EQ(result.status() != 0, !result.error_code().empty());
    EXPECT_EQ(result.error_code().empty(), result.message().empty());
    EXPECT_EQ(refused_, result.error_code().empty() ? 0u : 1u);
    EXPECT_EQ(ephemeral_, result.error_code().empty() ? 1u : 0u);
    return result.error_code();
  }
  static v1::Publication Ephemeral(std::vector<std::string> channels, std::string payload = "{}") {
    v1::Publication publication;
    for (std::string& channel : channels) {
      publication.mutable_ephemeral()->add_channels(std::move(channel));
    }
    publication.mutable_ephemeral()->set_payload(std::move(payload));
    return publication;
  }

  test::FakeClock clock_;
  LinkHub hub_{{}, clock_};
  PublishService::Options options_;
  const PublishGrant everything_{.everything = true};
  const PublishGrant* grant_ = &everything_;
  uint64_t refused_ = 0;
  uint64_t ephemeral_ = 0;
};

TEST_F(PublishServiceTest, AnEphemeralEventThatNobodyWantsIsAccepted) {
  const v1::PublishResult result = Publish(Ephemeral({"a", "b", "c"}));
  EXPECT_EQ(result.status(), 0);
  EXPECT_EQ(result.edges(), 0u);
  EXPECT_FALSE(result.has_position());
  EXPECT_EQ(ephemeral_, 1u);
}

TEST_F(PublishServiceTest, TheKindIsNamed) { EXPECT_EQ(Code({}), "publish_missing_kind"); }

TEST_F(PublishServiceTest, ChannelsAreNamedAndFew) {
  EXPECT_EQ(Code(Ephemeral({})), "publish_bad_channels");
  EXPECT_EQ(Code(Ephemeral({"a", "b", "c", "d"})), "publish_bad_channels");
  EXPECT_EQ(Code(Ephemeral({"a", ""})), "publish_bad_channels");
  EXPECT_EQ(Code(Ephemeral({"a.*"})), "publish_bad_channels");
  EXPECT_EQ(Code(Ephemeral({"a"})), "");
}

TEST_F(PublishServiceTest, TheSizeOfAnEphemeralEventIsThatOfAllItsParts) {
  const std::string text = "\"" + std::string(58, '1') + "\"";
  v1::Publication publication = Ephemeral({"a"}, text);
  publication.mutable_ephemeral()->set_type(std::string(10, 't'));
  publication.mutable_ephemeral()->set_key(std::string(10, 'k'));
  EXPECT_EQ(Code(publication), "");
  publication.mutable_ephemeral()->set_key(std::string(11, 'k'));
  EXPECT_EQ(Code(publication), "publish_too_large");
  options_.max_ephemeral_bytes = 1'000;  // then the message's own bound holds
  EXPECT_EQ(Code(publication), "");
  publication.mutable_ephemeral()->set_payload(text + text);
  EXPECT_EQ(Code(publication), "publish_too_large");
}

TEST_F(PublishServiceTest, APayloadIsJsonUnlessItSaysOtherwise) {
  EXPECT_EQ(Code(Ephemeral({"a"}, "{")), "publish_bad_payload");
  EXPECT_EQ(Code(Ephemeral({"a"}, "")), "publish_bad_payload");
  v1::Publication publication = Ephemeral({"a"}, "{");
  publication.mutable_ephemeral()->set_encoding(v1::PAYLOAD_ENCODING_JSON);
  EXPECT_EQ(Code(publication), "publish_bad_payload");
  publication.mutable_ephemeral()->set_encoding(v1::PAYLOAD_ENCODING_BINARY);
  EXPECT_EQ(Code(publication), "");
}

TEST_F(PublishServiceTest, OnlyWhatThePublisherMay) {
  PublishGrant grant;
  grant.channels.push_back(*ChannelPattern::Parse("shop:*"));
  grant_ = &grant;
  EXPECT_EQ(Code(Ephemeral({"shop:1"})), "");
  EXPECT_EQ(Code(Ephemeral({"shop:1", "other"})), "publish_not_allowed") << "all or nothing";
  EXPECT_EQ(Publish(Ephemeral({"other"})).status(),
            static_cast<int>(grpc::StatusCode::PERMISSION_DENIED));
  grant_ = nullptr;
  EXPECT_EQ(Code(Ephemeral({"shop:1"})), "publish_not_allowed");
}

TEST_F(PublishServiceTest, WithoutKafkaNothingIsDurable) {
  v1::Publication publication;
  publication.mutable_durable()->set_topic("t");
  EXPECT_EQ(Publish(publication).status(), static_cast<int>(grpc::StatusCode::FAILED_PRECONDITION));
  EXPECT_EQ(Code(publication), "publish_disabled");
}

TEST_F(PublishServiceTest, TurnedOffItRefusesEverything) {
  options_.enabled = false;
  EXPECT_EQ(Code(Ephemeral({"a"})), "publish_disabled");
  EXPECT_EQ(Code({}), "publish_disabled");
}

}  // namespace
}  // namespace spillway::ingest
