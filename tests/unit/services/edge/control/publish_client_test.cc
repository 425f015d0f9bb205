#include "services/edge/control/publish_client.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/mutex.h"
#include "common/rpc/client.h"
#include "spillway/v1/publish.grpc.pb.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace spillway::edge {
namespace {

using ::testing::ElementsAre;

// An ingest's publish API, in this process: answers as the test says.
class FakeIngest final : public v1::PublishService::CallbackService {
 public:
  using Answer =
      std::function<grpc::Status(const v1::PublishBatchRequest&, v1::PublishBatchResponse*)>;

  FakeIngest() {
    grpc::ServerBuilder builder;
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~FakeIngest() override { server_->Shutdown(); }

  std::shared_ptr<grpc::Channel> NewChannel() { return server_->InProcessChannel({}); }
  void SetAnswer(Answer answer) {
    MutexLock lock(mutex_);
    answer_ = std::move(answer);
  }
  std::vector<v1::PublishBatchRequest> asked() {
    MutexLock lock(mutex_);
    return asked_;
  }
  std::vector<std::string> credentials() {
    MutexLock lock(mutex_);
    return credentials_;
  }
  std::vector<std::string> correlation_ids() {
    MutexLock lock(mutex_);
    return correlation_ids_;
  }

 private:
  grpc::ServerUnaryReactor* PublishBatch(grpc::CallbackServerContext* context,
                                         const v1::PublishBatchRequest* request,
                                         v1::PublishBatchResponse* response) override {
    grpc::Status status;
    {
      MutexLock lock(mutex_);
      asked_.push_back(*request);
      const auto sent = [context](const char* name) {
        const auto found = context->client_metadata().find(name);
        if (found == context->client_metadata().end()) return std::string();
        return std::string(found->second.data(), found->second.size());
      };
      credentials_.push_back(sent("authorization"));
      correlation_ids_.push_back(sent("x-correlation-id"));
      status = answer_(*request, response);
    }
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(status);
    return reactor;
  }

  Mutex mutex_;
  Answer answer_ SPILLWAY_GUARDED_BY(mutex_);
  std::vector<v1::PublishBatchRequest> asked_ SPILLWAY_GUARDED_BY(mutex_);
  std::vector<std::string> credentials_ SPILLWAY_GUARDED_BY(mutex_);
  std::vector<std::string> correlation_ids_ SPILLWAY_GUARDED_BY(mutex_);
  std::unique_ptr<grpc::Server> server_;
};

FakeIngest::Answer Fails(grpc::StatusCode code) {
  return [code](const v1::PublishBatchRequest&, v1::PublishBatchResponse*) {
    return grpc::Status(code, "words");
  };
}

FakeIngest::Answer AllAre(const std::string& error_code) {
  return [error_code](const v1::PublishBatchRequest& request, v1::PublishBatchResponse* response) {
    for (int i = 0; i < request.publications_size(); ++i) {
      v1::PublishResult& result = *response->add_results();
      result.set_error_code(error_code);
      result.set_status(error_code.empty() ? 0 : 14);
      result.mutable_position()->set_topic("messages");
      result.mutable_position()->set_offset(i);
    }
    return grpc::Status::OK;
  };
}

class PublishClientTest : public ::testing::Test {
 protected:
  PublishClientTest() {
    for (FakeIngest& ingest : ingests_) ingest.SetAnswer(AllAre(""));
    linked_ = {"a", "b"};
  }

  Publication Of(const PublishTarget& target, const std::string& idempotency_key = "") {
    return {.target = &target,
            .channel = "chat:42",
            .rest = "42",
            .user_id = "u1",
            .connection = "c1",
            .correlation_id = "trace-1",
            .key = "k",
            .data = R"({"text":"hi"})",
            .idempotency_key = idempotency_key};
  }
  std::vector<PublishAnswer> Publish(std::vector<Publication> batch) {
    Mutex mutex;
    CondVar changed;
    std::vector<PublishAnswer> got;
    bool done = false;
    client_.Publish(7, std::make_shared<const Publisher::Batch>(std::move(batch)),
                    [&](std::vector<PublishAnswer> answers) {
                      MutexLock lock(mutex);
                      got = std::move(answers);
                      done = true;
                      changed.NotifyAll();
                    });
    MutexLock lock(mutex);
    while (!done) changed.Wait(mutex);
    return got;
  }
  std::vector<std::string> Outcomes(std::vector<Publication> batch) {
    std::vector<std::string> names;
    for (const PublishAnswer& answer : Publish(std::move(batch))) {
      names.emplace_back(kPublishOutcomeNames[static_cast<size_t>(answer.outcome)]);
    }
    return names;
  }
  FakeIngest& first() { return ingests_[IngestFor(7, linked_, {}) == "a" ? 0 : 1]; }
  FakeIngest& second() { return ingests_[IngestFor(7, linked_, {}) == "a" ? 1 : 0]; }

  const PublishTarget durable_{.topic = "messages"};
  const PublishTarget ephemeral_{.event = "typing"};
  test::FakeClock clock_;
  FakeIngest ingests_[2];
  std::vector<std::string> linked_;
  test::TempDir dir_;
  const std::shared_ptr<const rpc::PresentedToken> token_ =
      std::make_shared<rpc::PresentedToken>("", dir_.Write("token", "first"), clock_);
  std::string without_channel_;  // address to which none can be made
  // A batch at a time, as tests publish: what is answered takes no room from its next try.
  NodeCalls calls_{{.token = token_, .max_calls = 1, .token_kept_fresh = true},
                   [this](const std::string& address) {
                     if (address == without_channel_) {
                       return absl::StatusOr<std::shared_ptr<grpc::Channel>>(
                           absl::InvalidArgumentError("no such certificate"));
                     }
                     return absl::StatusOr<std::shared_ptr<grpc::Channel>>(
                         ingests_[address == "a" ? 0 : 1].NewChannel());
                   }};
  PublishClient client_{{}, clock_, calls_, [this] { return linked_; }};
};

TEST_F(PublishClientTest, ARecordSaysWhoAndWhere) {
  const auto answers = Publish({Of(durable_, "i")});
  ASSERT_EQ(answers.size(), 1);
  EXPECT_EQ(answers[0].outcome, PublishOutcome::kPublished);
  EXPECT_EQ(answers[0].topic, "messages");
  ASSERT_EQ(first().asked().size(), 1);
  const v1::Publication publication = first().asked()[0].publications(0);
  EXPECT_EQ(publication.durable().topic(), "messages");
  EXPECT_EQ(publication.durable().key(), "chat:42");
  EXPECT_EQ(publication.durable().value(), R"({"text":"hi"})");
  const auto& headers = publication.durable().headers();
  EXPECT_EQ(headers.size(), 4);
  EXPECT_EQ(headers.at("spillway_user"), "u1");
  EXPECT_EQ(headers.at("spillway_channel"), "chat:42");
  EXPECT_EQ(headers.at("spillway_rest"), "42");
  EXPECT_EQ(headers.at("spillway_key"), "k");
  EXPECT_EQ(publication.idempotency_key().size(), 64);
}

TEST_F(PublishClientTest, WithoutATopicItGoesStraightToTheSubscribers) {
  EXPECT_THAT(Outcomes({Of(ephemeral_, "i")}), ElementsAre("published"));
  const v1::Publication publication = first().asked()[0].publications(0);
  EXPECT_THAT(publication.ephemeral().channels(), ElementsAre("chat:42"));
  EXPECT_EQ(publication.ephemeral().type(), "typing");
  EXPECT_EQ(publication.ephemeral().key(), "k");
  EXPECT_EQ(publication.ephemeral().payload(), R"({"text":"hi"})");
  EXPECT_EQ(publication.idempotency_key(), "");
}

// What one client chooses never stands in for what another one publishes.
TEST_F(PublishClientTest, AnIdempotencyKeyIsOneOfItsUserAndChannel) {
  const Publication base = Of(durable_, "i");
  EXPECT_EQ(IdempotencyKeyOf(base), IdempotencyKeyOf(base));
  Publication other = base;
  other.connection = "c2";
  EXPECT_EQ(IdempotencyKeyOf(base), IdempotencyKeyOf(other)) << "on another connection";
  other = base;
  other.user_id = "u2";
  EXPECT_NE(IdempotencyKeyOf(base), IdempotencyKeyOf(other));
  other = base;
  other.channel = "chat:43";
  EXPECT_NE(IdempotencyKeyOf(base), IdempotencyKeyOf(other));
  // Nor by moving what stands between two of them.
  Publication left = base;
  Publication right = base;
  left.user_id = "u1:1";
  right.user_id = "u1";
  right.idempotency_key = "1:i";
  EXPECT_NE(IdempotencyKeyOf(left), IdempotencyKeyOf(right));
  // Who has no name has one of its connection.
  Publication nobody = base;
  nobody.user_id.clear();
  Publication another = nobody;
  another.connection = "c2";
  EXPECT_NE(IdempotencyKeyOf(nobody), IdempotencyKeyOf(another));
  nobody.idempotency_key.clear();
  EXPECT_EQ(IdempotencyKeyOf(nobody), "");
}

TEST_F(PublishClientTest, WithoutAnIngestNothingIsPublished) {
  linked_.clear();
  EXPECT_THAT(Outcomes({Of(durable_), Of(durable_, "i")}),
              ElementsAre("unavailable", "unavailable"));
}

// One that may have published it, and cannot say so.
TEST_F(PublishClientTest, AnotherIsAskedOnlyIfTwiceDoesNoHarm) {
  first().SetAnswer(Fails(grpc::StatusCode::UNAVAILABLE));
  EXPECT_THAT(Outcomes({Of(durable_, "i"), Of(durable_), Of(durable_, "j")}),
              ElementsAre("published", "unknown", "published"));
  ASSERT_EQ(second().asked().size(), 1);
  EXPECT_EQ(second().asked()[0].publications_size(), 2);
  EXPECT_EQ(second().asked()[0].publications(0).idempotency_key(),
            IdempotencyKeyOf(Of(durable_, "i")));
  EXPECT_THAT(Outcomes({Of(ephemeral_, "i")}), ElementsAre("unknown"));
  second().SetAnswer(Fails(grpc::StatusCode::UNAVAILABLE));
  EXPECT_THAT(Outcomes({Of(durable_, "i")}), ElementsAre("unknown"));
}

// What the first may have written is not taken back by what the second says of itself.
TEST_F(PublishClientTest, WhatIsUnknownOnceStaysSoUntilItIsPublished) {
  first().SetAnswer(Fails(grpc::StatusCode::UNAVAILABLE));
  for (const char* code :
       {"publish_busy", "publish_unavailable", "publish_too_large", "publish_rejected",
        "publish_disabled", "publish_timeout", "what_is_yet_to_come"}) {
    second().SetAnswer(AllAre(code));
    EXPECT_THAT(Outcomes({Of(durable_, "i")}), ElementsAre("unknown")) << code;
  }
  for (const auto code : {grpc::StatusCode::RESOURCE_EXHAUSTED, grpc::StatusCode::UNAUTHENTICATED,
                          grpc::StatusCode::DEADLINE_EXCEEDED}) {
    second().SetAnswer(Fails(code));
    EXPECT_THAT(Outcomes({Of(durable_, "i")}), ElementsAre("unknown")) << code;
  }
  EXPECT_EQ(second().asked().size(), 10);
  second().SetAnswer(AllAre(""));
  EXPECT_THAT(Outcomes({Of(durable_, "i")}), ElementsAre("published"));
}

// It is this node that has not sent it: nothing is left open by that.
TEST_F(PublishClientTest, WhatWasNotSentIsNotUnknown) {
  without_channel_ = IngestFor(7, linked_, {});
  EXPECT_THAT(Outcomes({Of(durable_, "i"), Of(ephemeral_)}),
              ElementsAre("unavailable", "unavailable"));
  without_channel_ = IngestFor(7, linked_, {without_channel_});
  first().SetAnswer(Fails(grpc::StatusCode::UNAVAILABLE));
  EXPECT_THAT(Outcomes({Of(durable_, "i")}), ElementsAre("unknown"));
  EXPECT_TRUE(second().asked().empty());
}

// Files are not for the threads that publish.
TEST_F(PublishClientTest, CallsPresentTheTokenThatWasReadLast) {
  (void)token_->Get();
  dir_.Write("token", "second");
  clock_.Advance(rpc::kTokenFileInterval);
  Publish({Of(durable_)});
  (void)token_->Get();
  Publish({Of(durable_)});
  EXPECT_THAT(first().credentials(), ElementsAre("Bearer first", "Bearer second"));
}

TEST_F(PublishClientTest, CallsHaveTheCorrelationIdOfTheConnection) {
  Publish({Of(durable_)});
  EXPECT_THAT(first().correlation_ids(), ElementsAre("trace-1"));
}

TEST_F(PublishClientTest, WhatNoAnswerSaysIsUnknown) {
  for (const auto code : {grpc::StatusCode::UNAVAILABLE, grpc::StatusCode::DEADLINE_EXCEEDED,
                          grpc::StatusCode::CANCELLED, grpc::StatusCode::INTERNAL,
                          grpc::StatusCode::UNKNOWN, grpc::StatusCode::ABORTED}) {
    first().SetAnswer(Fails(code));
    EXPECT_THAT(Outcomes({Of(durable_)}), ElementsAre("unknown")) << code;
  }
  first().SetAnswer([](const v1::PublishBatchRequest&, v1::PublishBatchResponse*) {
    return grpc::Status::OK;  // without results
  });
  EXPECT_THAT(Outcomes({Of(durable_)}), ElementsAre("unknown"));
}

TEST_F(PublishClientTest, WhoIsRefusedHasPublishedNothing) {
  for (const auto code : {grpc::StatusCode::UNAUTHENTICATED, grpc::StatusCode::PERMISSION_DENIED,
                          grpc::StatusCode::UNIMPLEMENTED}) {
    first().SetAnswer(Fails(code));
    EXPECT_THAT(Outcomes({Of(durable_, "i")}), ElementsAre("failed")) << code;
  }
  first().SetAnswer(Fails(grpc::StatusCode::RESOURCE_EXHAUSTED));
  EXPECT_THAT(Outcomes({Of(durable_, "i")}), ElementsAre("busy"));
  EXPECT_TRUE(second().asked().empty());
}

TEST_F(PublishClientTest, TheIngestsCodesAreSaidInTheClients) {
  const std::vector<std::pair<std::string, std::string>> codes = {
      {"publish_timeout", "unknown"},         {"publish_busy", "busy"},
      {"publish_unavailable", "unavailable"}, {"publish_too_large", "too_large"},
      {"publish_unknown_topic", "failed"},    {"publish_denied", "failed"},
      {"publish_not_allowed", "failed"},      {"publish_rejected", "failed"},
      {"publish_bad_payload", "failed"},      {"publish_missing_kind", "failed"},
      {"publish_bad_topic", "failed"},        {"publish_bad_channels", "failed"},
      {"publish_bad_batch", "failed"},        {"publish_bad_idempotency_key", "failed"},
      {"what_is_yet_to_come", "unknown"}};
  for (const auto& [ingests, ours] : codes) {
    first().SetAnswer(AllAre(ingests));
    EXPECT_THAT(Outcomes({Of(durable_, "i")}), ElementsAre(ours)) << ingests;
  }
  EXPECT_TRUE(second().asked().empty());
}

TEST_F(PublishClientTest, OneThatDoesNotPublishIsPassedOver) {
  first().SetAnswer(AllAre("publish_disabled"));
  EXPECT_THAT(Outcomes({Of(durable_), Of(ephemeral_)}), ElementsAre("published", "published"));
  second().SetAnswer(AllAre("publish_disabled"));
  EXPECT_THAT(Outcomes({Of(durable_)}), ElementsAre("failed"));
}

TEST_F(PublishClientTest, AfterTheEndNothingIsAsked) {
  calls_.Stop();
  EXPECT_THAT(Outcomes({Of(durable_, "i")}), ElementsAre("unavailable"));
  EXPECT_TRUE(first().asked().empty());
}

// As long as the one that was chosen is there, others that come and go change nothing.
TEST(IngestForTest, IsStable) {
  const std::vector<std::string> all = {"a", "b", "c", "d"};
  const std::string chosen = IngestFor(42, all, {});
  for (const std::string& gone : all) {
    if (gone == chosen) continue;
    EXPECT_EQ(IngestFor(42, all, {gone}), chosen);
  }
  EXPECT_NE(IngestFor(42, all, {chosen}), chosen);
  EXPECT_EQ(IngestFor(42, {}, {}), "");
  EXPECT_EQ(IngestFor(42, {"a"}, {"a"}), "");
}

// A channel that is given up ends when the last call on it has, not before.
TEST_F(PublishClientTest, ChannelsAreGivenUpWhileCallsAreUnderWay) {
  EXPECT_THAT(Outcomes({Of(durable_)}), ElementsAre("published"));
  const auto held = *calls_.ChannelTo("a");
  calls_.Forget({});
  EXPECT_NE(*calls_.ChannelTo("a"), held);
  EXPECT_GT(held.use_count(), 1) << "kept for those who use it";
  EXPECT_THAT(Outcomes({Of(durable_)}), ElementsAre("published"));
}

TEST_F(PublishClientTest, ChannelsAreRenewedOneByOne) {
  calls_.Warm({"a", "b"});
  const auto a = *calls_.ChannelTo("a");
  const auto b = *calls_.ChannelTo("b");
  without_channel_ = "b";
  EXPECT_FALSE(calls_.Renew());
  EXPECT_NE(*calls_.ChannelTo("a"), a);
  EXPECT_EQ(*calls_.ChannelTo("b"), b) << "until another can be made";
  EXPECT_THAT(calls_.Connected({"b", "c", "a"}), ElementsAre("b", "a"));
  without_channel_.clear();
  EXPECT_TRUE(calls_.Renew());
  EXPECT_NE(*calls_.ChannelTo("b"), b);
}

}  // namespace
}  // namespace spillway::edge
