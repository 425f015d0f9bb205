// Other paths for the methods of a gateway: one for those who are used to others.

#include <gmock/gmock.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/gateway/gateway.h"
#include "common/http/http_server.h"
#include "common/http/json_error.h"
#include "common/rpc/access.h"
#include "common/rpc/server.h"
#include "spillway/v1/admin.grpc.pb.h"
#include "tests/support/raw_client.h"

namespace spillway::gateway {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

constexpr char kService[] = "spillway.v1.AdminService";

// Answers with what it was asked.
class EchoAdmin final : public v1::AdminService::CallbackService {
 public:
  grpc::ServerUnaryReactor* Disconnect(grpc::CallbackServerContext* context,
                                       const v1::DisconnectRequest* request,
                                       v1::DisconnectResponse* response) override {
    return Echo(context, *request, response);
  }
  grpc::ServerUnaryReactor* Broadcast(grpc::CallbackServerContext* context,
                                      const v1::BroadcastRequest* request,
                                      v1::BroadcastResponse* response) override {
    return Echo(context, *request, response);
  }
  grpc::ServerUnaryReactor* ListConnections(grpc::CallbackServerContext* context,
                                            const v1::ListConnectionsRequest* request,
                                            v1::ListConnectionsResponse* response) override {
    return Echo(context, *request, response);
  }

 private:
  template <typename Response>
  grpc::ServerUnaryReactor* Echo(grpc::CallbackServerContext* context,
                                 const google::protobuf::Message& request, Response* response) {
    auto* reactor = context->DefaultReactor();
    response->set_node_id(request.ShortDebugString());
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

std::string Mistake(const std::vector<Alias>& aliases) {
  return std::string(CheckAliases(aliases, kService).message());
}

TEST(AliasTest, MistakesAreNamed) {
  EXPECT_EQ(Mistake({{"GET", "/a/{user_id}", "ListConnections"},
                     {"POST", "/a/{userId}", "Disconnect"},
                     {"GET", "/h", "/ready"}}),
            "");
  EXPECT_THAT(Mistake({{"get", "/a", "ListConnections"}}), HasSubstr("[0].method: use GET"));
  for (const char* path : {"a", "/", "/a/", "/a//b", "/a{b}", "/{}", "/{a}/{a}", "/a?b"}) {
    EXPECT_THAT(Mistake({{"GET", path, "ListConnections"}}), HasSubstr("[0].path: ")) << path;
  }
  EXPECT_THAT(Mistake({{"GET", "/a", "Nothing"}}), HasSubstr("there is no call 'Nothing'"));
  EXPECT_THAT(Mistake({{"GET", "/a", "/metrics"}}), HasSubstr("[0].call: of the pages"));
  EXPECT_THAT(Mistake({{"POST", "/a", "/ready"}}), HasSubstr("[0].call: a page has GET"));
  EXPECT_THAT(Mistake({{"GET", "/a/{user}", "ListConnections"}}), HasSubstr("{user}"));
  EXPECT_THAT(Mistake({{"POST", "/a/{reconnect}", "Disconnect"}}), HasSubstr("{reconnect}"))
      << "a message is no text";
  EXPECT_THAT(Mistake({{"GET", "/a", "Disconnect"}}), HasSubstr("which GET must not"));
  EXPECT_THAT(Mistake({{"POST", "/a/{user_id}", "Disconnect"}, {"POST", "/a/{ip}", "Disconnect"}}),
              HasSubstr("[1].path: another one"));
}

class GatewayAliasesTest : public testing::Test {
 protected:
  void Start(std::shared_ptr<rpc::Access> access = nullptr) {
    rpc::ServerOptions options;
    options.services = {&admin_};
    rpc_ = *rpc::Server::Start(options);
    const std::vector<Alias> aliases = {{"GET", "/api/health", "/health"},
                                        {"GET", "/api/connections", "ListConnections"},
                                        {"GET", "/api/connections/{user_id}", "ListConnections"},
                                        {"POST", "/api/disconnect/{connection_id}", "Disconnect"},
                                        {"POST", "/api/disconnect/user/{user_id}", "Disconnect"},
                                        {"POST", "/api/broadcast", "Broadcast"}};
    ASSERT_TRUE(CheckAliases(aliases, kService).ok());
    gateway_ = std::make_unique<Gateway>(Gateway::Options{
        .title = "Spillway",
        .version = "1",
        .services = {kService},
        .access = std::move(access),
        .aliases = aliases,
        .pages = {{"/health", [](const http::Request&) { return http::Json(200, "\"well\""); }}}});
    http::Routes routes;
    gateway_->AddTo(&routes);
    http_ = *http::HttpServer::Start({}, std::move(routes));
    gateway_->Open(rpc_->InProcess());
  }
  void TearDown() override {
    if (gateway_ != nullptr) gateway_->Shutdown();
    http_.reset();
    rpc_.reset();
  }
  std::string Ask(const std::string& verb, const std::string& path, const std::string& body = "",
                  const std::string& headers = "") {
    RawClient client(http_->port());
    client.Send(absl::StrCat(verb, " ", path, " HTTP/1.1\r\nHost: x\r\n", headers,
                             "Content-Length: ", body.size(), "\r\nConnection: close\r\n\r\n",
                             body));
    return client.ReadAll();
  }

  EchoAdmin admin_;
  std::unique_ptr<rpc::Server> rpc_;
  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<http::HttpServer> http_;
};

constexpr char kJson[] = "Content-Type: application/json\r\n";

TEST_F(GatewayAliasesTest, PathAndQueryFillTheRequest) {
  Start();
  EXPECT_THAT(Ask("GET", "/api/connections/u1?page_size=5&labels=a=b&labels=c=d"),
              AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr(R"(user_id: \"u1\")"),
                    HasSubstr("page_size: 5"), HasSubstr(R"(labels: \"a=b\" labels: \"c=d\")")));
  EXPECT_THAT(Ask("GET", "/api/connections?scope=SCOPE_NODE"), HasSubstr("scope: SCOPE_NODE"));
  EXPECT_THAT(Ask("GET", "/api/connections/a%2Fb"), StartsWith("HTTP/1.1 400 "))
      << "a value is one segment, and cannot choose another path";
  EXPECT_THAT(Ask("HEAD", "/api/health"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(Ask("POST", "/api/disconnect/abc", R"({"code":4000,"connectionId":"other"})", kJson),
              AllOf(HasSubstr(R"(connection_id: \"abc\")"), HasSubstr("code: 4000")))
      << "the path wins";
  EXPECT_THAT(Ask("POST", "/api/disconnect/user/u1", "{}", kJson), HasSubstr(R"(user_id: \"u1\")"));
  EXPECT_THAT(Ask("POST", "/api/broadcast", R"({"all":true,"type":"t","payload":"1"})", kJson),
              AllOf(HasSubstr("all: true"), HasSubstr("payload")));
  EXPECT_THAT(Ask("GET", "/api/health"), AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("well")));
}

TEST_F(GatewayAliasesTest, WhatIsWrongIsSaid) {
  Start();
  EXPECT_THAT(Ask("GET", "/api/connections?page_size=x"),
              AllOf(StartsWith("HTTP/1.1 400 "), HasSubstr("'page_size': 'x' is no value of it")));
  EXPECT_THAT(Ask("GET", "/api/connections?page_size=-1"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Ask("GET", "/api/connections?colour=red"), HasSubstr("there is no such parameter"));
  EXPECT_THAT(Ask("GET", "/api/connections/%ff"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Ask("GET", "/api/disconnect/abc"), StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(Ask("GET", "/api/nothing"), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(
      Ask("POST", "/api/broadcast", "{", "X-Correlation-Id: ticket-1\r\n" + std::string(kJson)),
      AllOf(StartsWith("HTTP/1.1 400 "), HasSubstr("x-correlation-id: ticket-1")));
}

// A page elsewhere can make a browser send such ones without asking.
TEST_F(GatewayAliasesTest, WhatChangesSomethingSaysThatItIsJsonOrWhoItIs) {
  Start();
  EXPECT_THAT(Ask("POST", "/api/disconnect/abc"), StartsWith("HTTP/1.1 415 "));
  EXPECT_THAT(Ask("POST", "/api/disconnect/abc", "{}", "Content-Type: text/plain\r\n"),
              StartsWith("HTTP/1.1 415 "));
  EXPECT_THAT(Ask("POST", "/api/disconnect/abc", "", "Authorization: Bearer any\r\n"),
              StartsWith("HTTP/1.1 200 "));
}

TEST_F(GatewayAliasesTest, CallsAreAuthorisedAsByTheirOwnPath) {
  Start(*rpc::Access::Create(
      {{.key = "edge.admin",
        .services = {kService},
        .callers = {{.name = "otto", .role = v1::ROLE_OPERATOR, .token = "secret"}}}},
      Clock::Real()));
  EXPECT_THAT(Ask("GET", "/api/connections"), StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(Ask("GET", "/api/connections", "", "Authorization: Bearer secret\r\n"),
              StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(Ask("POST", "/api/disconnect/abc", "", "Authorization: Bearer wrong\r\n"),
              StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(Ask("POST", "/api/disconnect/abc", "{", kJson), StartsWith("HTTP/1.1 401 "))
      << "what it says is looked at behind that";
}

TEST_F(GatewayAliasesTest, AreDescribed) {
  Start();
  const std::string answer = Ask("GET", "/openapi.json");
  google::protobuf::Struct parsed;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(
                  answer.substr(answer.find("\r\n\r\n") + 4), &parsed)
                  .ok());
  const auto& paths = parsed.fields().at("paths").struct_value().fields();
  const auto& get =
      paths.at("/api/connections/{user_id}").struct_value().fields().at("get").struct_value();
  EXPECT_FALSE(get.fields().contains("requestBody"));
  EXPECT_GE(get.fields().at("parameters").list_value().values_size(), 5);
  EXPECT_TRUE(paths.at("/api/disconnect/{connection_id}")
                  .struct_value()
                  .fields()
                  .at("post")
                  .struct_value()
                  .fields()
                  .contains("requestBody"));
}

}  // namespace
}  // namespace spillway::gateway
