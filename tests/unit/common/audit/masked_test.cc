#include "common/audit/masked.h"

#include <google/protobuf/unknown_field_set.h>
#include <gtest/gtest.h>

#include <string>

#include "spillway/v1/admin.pb.h"
#include "spillway/v1/publish.pb.h"

namespace spillway::audit {
namespace {

TEST(Masked, SecretsByName) {
  for (const char* name : {"payload", "value", "headers", "token", "bearer_token", "password",
                           "client_secret", "authorization", "idempotency_key"}) {
    EXPECT_TRUE(IsMasked(name)) << name;
  }
  for (const char* name : {"user_id", "jti", "ip", "reason", "channels", "tokens_of_user"}) {
    EXPECT_FALSE(IsMasked(name)) << name;
  }
}

TEST(Masked, PayloadsAreNotShown) {
  v1::BroadcastRequest request;
  request.add_channels("news");
  request.set_payload("{\"secret\":1}");
  const std::string shown = Shown(request);
  EXPECT_EQ(shown, "channels: \"news\" payload: \"***\"");
}

TEST(Masked, NotWithinOtherMessagesEither) {
  v1::BroadcastBatchRequest request;
  for (int i = 0; i < 2; ++i) request.add_broadcasts()->set_payload("hidden");
  request.set_dry_run(true);
  const std::string shown = Shown(request);
  EXPECT_EQ(shown.find("hidden"), std::string::npos) << shown;
  EXPECT_NE(shown.find("dry_run: true"), std::string::npos) << shown;
}

// A newer caller's fields: nobody here knows what is in them.
TEST(Masked, FieldsThatAreNotKnownAreNotShown) {
  v1::BroadcastBatchRequest request;
  request.GetReflection()->MutableUnknownFields(&request)->AddLengthDelimited(900, "hidden");
  v1::BroadcastRequest& nested = *request.add_broadcasts();
  nested.add_channels("news");
  nested.GetReflection()->MutableUnknownFields(&nested)->AddLengthDelimited(900, "hidden");
  EXPECT_EQ(Shown(request), "broadcasts { channels: \"news\" }");
}

TEST(Masked, WhomItIsAboutIsShown) {
  v1::UnblockRequest request;
  request.set_tokens_of_user("u1");
  EXPECT_EQ(Shown(request), "tokens_of_user: \"u1\"");
}

TEST(Masked, StaysOneLine) {
  v1::BlockUserRequest request;
  request.set_user_id("a\nb\"c");
  request.set_reason(std::string("\x01\r\n", 3));
  const std::string shown = Shown(request);
  EXPECT_EQ(shown.find_first_of("\r\n\x01"), std::string::npos);
}

}  // namespace
}  // namespace spillway::audit
