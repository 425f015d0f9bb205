#include <gtest/gtest.h>

#include <string>

#include "services/edge/session/awaited_session.h"
#include "tests/unit/services/edge/session/session_fixture.h"

namespace spillway::edge {
namespace {

class CorrelationTest : public SessionTest {
 protected:
  static http::Request With(const std::string& name, const std::string& value) {
    http::Request request = RequestOf({});
    request.headers.emplace_back(name, value);
    return request;
  }
  static std::string OfRefusal(const UpgradeDecision& decision) {
    for (const auto& [name, value] : decision.refusal->headers) {
      if (name == "x-correlation-id") return value;
    }
    return "";
  }
};

TEST_F(CorrelationTest, AClientsOwnIdIsTheConnections) {
  Build(Open());
  Client client = Connect(With("x-correlation-id", "trace-1"));
  EXPECT_EQ(client.session->correlation_id(), "trace-1");
  EXPECT_EQ(client.session->Info().correlation_id, "trace-1");
  EXPECT_NE(client.session->id(), "trace-1");
  EXPECT_EQ(acceptor_->OnUpgrade(With("x-request-id", "r"), 0).correlation_id, "r");
}

TEST_F(CorrelationTest, WithoutOneItIsTheConnectionsId) {
  Build(Open());
  for (const http::Request& request :
       {RequestOf({}), With("x-correlation-id", "bad id\r\nx: y"), With("x-correlation-id", "")}) {
    UpgradeDecision decision = acceptor_->OnUpgrade(request, 0);
    ASSERT_NE(decision.handler, nullptr);
    EXPECT_EQ(decision.correlation_id, static_cast<Session&>(*decision.handler).id());
  }
}

TEST_F(CorrelationTest, ARefusalHasOneToo) {
  Build(EndpointOptions());
  EXPECT_EQ(OfRefusal(acceptor_->OnUpgrade(With("x-correlation-id", "trace-1"), 0)), "trace-1");
  const std::string made = OfRefusal(acceptor_->OnUpgrade(RequestOf({}), 0));
  EXPECT_EQ(made.size(), 32u);
  EXPECT_NE(OfRefusal(acceptor_->OnUpgrade(RequestOf({}), 0)), made);
}

TEST_F(CorrelationTest, AnAwaitedSessionKeepsTheOneThatWasAnswered) {
  EndpointOptions options;
  options.auth.message = true;
  Build(std::move(options));
  for (const char* given : {"", "trace-1"}) {
    UpgradeDecision decision = acceptor_->OnUpgrade(With("x-correlation-id", given), 0);
    auto& awaited = dynamic_cast<AwaitedSession&>(*decision.handler);
    FakeTransport transport;
    awaited.OnOpen(&transport);
    awaited.OnMessage("{\"type\":\"connect\",\"token\":\"" + Token("u1") + "\"}", true);
    ASSERT_NE(awaited.session(), nullptr);
    EXPECT_EQ(awaited.session()->correlation_id(), decision.correlation_id);
    EXPECT_EQ(awaited.correlation_id(), decision.correlation_id);
    awaited.OnClosed(1000, "");
  }
}

}  // namespace
}  // namespace spillway::edge
