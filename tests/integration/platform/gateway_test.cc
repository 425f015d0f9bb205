// gRPC services as HTTP/JSON: real servers, an in-process channel between them.

#include "common/gateway/gateway.h"

#include <gmock/gmock.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/mutex.h"
#include "common/http/http_server.h"
#include "common/rpc/correlation.h"
#include "common/rpc/server.h"
#include "spillway/v1/admin.grpc.pb.h"
#include "spillway/v1/read.grpc.pb.h"
#include "tests/support/raw_client.h"

namespace spillway::gateway {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

// Says what it was asked; user "nobody" is not found.
class EchoAdmin final : public v1::AdminService::CallbackService {
 public:
  grpc::ServerUnaryReactor* Disconnect(grpc::CallbackServerContext* context,
                                       const v1::DisconnectRequest* request,
                                       v1::DisconnectResponse* response) override {
    auto* reactor = context->DefaultReactor();
    {
      MutexLock lock(mutex);
      correlation_id = rpc::CorrelationIdOf(*context);
    }
    if (access != nullptr) {
      const rpc::Caller caller = access->CallerOf(*context, "spillway.v1.AdminService");
      response->set_node_id(absl::StrCat(caller.name(), " ", caller.address));
      reactor->Finish(grpc::Status::OK);
      return reactor;
    }
    if (request->user_id() == "nobody") {
      reactor->Finish({grpc::StatusCode::NOT_FOUND, "there is no user \"nobody\""});
      return reactor;
    }
    response->set_node_id(absl::StrCat(request->user_id(), " ", request->code()));
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  std::string TakeCorrelationId() {
    MutexLock lock(mutex);
    return std::exchange(correlation_id, "");
  }

  Mutex mutex;
  std::string correlation_id SPILLWAY_GUARDED_BY(mutex);  // of the last call
  std::shared_ptr<rpc::Access> access;
};

// Answers snapshots with `pieces` responses, or without an end if that is negative.
class PiecesRead final : public v1::ReadService::CallbackService {
 public:
  std::atomic<int> pieces{0};
  std::atomic<int> cancelled{0};
  std::atomic<int> done{0};

  grpc::ServerWriteReactor<v1::ReadResponse>* Snapshot(grpc::CallbackServerContext*,
                                                       const v1::SnapshotRequest*) override {
    class Reactor final : public grpc::ServerWriteReactor<v1::ReadResponse> {
     public:
      Reactor(PiecesRead* service, int left) : service_(service), left_(left) {
        Handoff();
        Next();
      }
      void OnWriteDone(bool ok) override {
        Handoff();
        if (ok) return Next();
        Finish(grpc::Status::CANCELLED);
      }
      void OnCancel() override {
        Handoff();
        ++service_->cancelled;
      }
      void OnDone() override {
        Handoff();
        ++service_->done;
        delete this;
      }

     private:
      // Between gRPC's threads, as the code that ships does it.
      void Handoff() { MutexLock lock(handoff_); }
      void Next() {
        if (left_ == 0) return Finish({grpc::StatusCode::OUT_OF_RANGE, "that was all"});
        --left_;
        response_.set_since_us(7);
        StartWrite(&response_);
      }
      Mutex handoff_;
      PiecesRead* const service_;
      int left_;
      v1::ReadResponse response_;
    };
    return new Reactor(this, pieces);
  }
};

// "secret" may act, "look" may look.
std::shared_ptr<rpc::Access> TwoCallers() {
  return *rpc::Access::Create(
      {{.key = "edge.admin",
        .services = {"spillway.v1.AdminService"},
        .callers = {{.name = "otto", .role = v1::ROLE_OPERATOR, .token = "secret"},
                    {.name = "vera", .role = v1::ROLE_VIEWER, .token = "look"}}}},
      Clock::Real());
}

class GatewayTest : public testing::Test {
 protected:
  void Start(std::shared_ptr<rpc::Access> access = nullptr, size_t max_streams = 16) {
    admin_.access = access;
    rpc::ServerOptions options;
    options.services = {&admin_, &read_};
    rpc_ = *rpc::Server::Start(options);
    gateway_ = std::make_unique<Gateway>(
        Gateway::Options{.title = "Spillway",
                         .version = "1",
                         .services = {"spillway.v1.AdminService", "spillway.v1.ReadService"},
                         .access = std::move(access),
                         .max_streams = max_streams});
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

  static std::string Request(const std::string& path, const std::string& body,
                             const std::string& headers = "Content-Type: application/json\r\n") {
    return absl::StrCat("POST ", path, " HTTP/1.1\r\nHost: x\r\n", headers,
                        "Content-Length: ", body.size(), "\r\nConnection: close\r\n\r\n", body);
  }
  std::string Post(const std::string& path, const std::string& body,
                   const std::string& headers = "Content-Type: application/json\r\n") {
    RawClient client(http_->port());
    client.Send(Request(path, body, headers));
    return client.ReadAll();
  }

  // Of the one stream, as its service sees it.
  void AwaitEnd() {
    for (int n = 0; n < 10'000 && read_.done == 0; ++n) usleep(1'000);
    EXPECT_EQ(read_.done, 1);
  }

  EchoAdmin admin_;
  PiecesRead read_;
  std::unique_ptr<rpc::Server> rpc_;
  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<http::HttpServer> http_;
};

constexpr char kDisconnect[] = "/spillway.v1.AdminService/Disconnect";
constexpr char kSnapshot[] = "/spillway.v1.ReadService/Snapshot";

TEST_F(GatewayTest, ACallIsMadeAndItsAnswerIsJson) {
  Start();
  const std::string answer = Post(kDisconnect, R"({"userId":"ann","code":4000})");
  EXPECT_THAT(
      answer,
      AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("Content-Type: application/json\r\n"),
            HasSubstr(R"("nodeId":"ann 4000")"), HasSubstr(R"("disconnected":"0")")));
  EXPECT_THAT(Post(kDisconnect, R"({"user_id":"ann"})"), HasSubstr(R"("nodeId":"ann 0")"))
      << "names as in the .proto are taken, too";
  EXPECT_THAT(Post(kDisconnect, ""), HasSubstr(R"("nodeId":" 0")")) << "nothing is {}";
}

TEST_F(GatewayTest, ARequestsCorrelationIdIsTheCallsAndComesBack) {
  Start();
  const std::string json = "Content-Type: application/json\r\n";
  EXPECT_THAT(Post(kDisconnect, "{}", json + "X-Correlation-Id: trace-1\r\n"),
              HasSubstr("x-correlation-id: trace-1\r\n"));
  EXPECT_EQ(admin_.TakeCorrelationId(), "trace-1");
  const std::string answer = Post(kDisconnect, R"({"userId":"nobody"})",
                                  json + "X-Correlation-Id: two words, \"quoted\"\r\n");
  const std::string made = admin_.TakeCorrelationId();
  EXPECT_EQ(made.size(), 32u);
  EXPECT_THAT(answer, HasSubstr(absl::StrCat("x-correlation-id: ", made, "\r\n")));
  EXPECT_THAT(Post(kDisconnect, "{", json), HasSubstr("x-correlation-id: "));
  EXPECT_EQ(admin_.TakeCorrelationId(), "") << "it was no call";
}

TEST_F(GatewayTest, AnErrorHasItsCodeAndHttpsStatus) {
  Start();
  EXPECT_THAT(
      Post(kDisconnect, R"({"userId":"nobody"})"),
      AllOf(StartsWith("HTTP/1.1 404 "),
            EndsWith(R"({"error":{"code":"not_found","message":"there is no user \"nobody\""}})")));
  EXPECT_THAT(Post("/spillway.v1.AdminService/GetStats", "{}"), StartsWith("HTTP/1.1 501 "));
}

TEST_F(GatewayTest, WhatIsNoRequestIsRefused) {
  Start();
  for (const char* bad : {"{", "[]", "7", R"({"user":"ann"})", R"({"code":-1})", R"({"code":"x"})",
                          "{\"userId\":\"\xff\"}"}) {
    EXPECT_THAT(Post(kDisconnect, bad),
                AllOf(StartsWith("HTTP/1.1 400 "), HasSubstr(R"("code":"invalid_argument")"),
                      HasSubstr("spillway.v1.DisconnectRequest")))
        << bad;
  }
  EXPECT_THAT(Post("/spillway.v1.AdminService/None", "{}"), StartsWith("HTTP/1.1 404 "));
  RawClient get(http_->port());
  get.Send(absl::StrCat("GET ", kDisconnect, " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
  EXPECT_THAT(get.ReadAll(), StartsWith("HTTP/1.1 405 "));
}

// A page elsewhere can make a browser send these without asking.
TEST_F(GatewayTest, OnlyWhatSaysThatItIsJsonIsTaken) {
  Start();
  for (const char* type : {"", "Content-Type: text/plain\r\n",
                           "Content-Type: application/x-www-form-urlencoded\r\n"}) {
    EXPECT_THAT(Post(kDisconnect, "{}", type), StartsWith("HTTP/1.1 415 ")) << type;
  }
  EXPECT_THAT(Post(kDisconnect, "{}", "Content-Type: application/json; charset=utf-8\r\n"),
              StartsWith("HTTP/1.1 200 "));
}

TEST_F(GatewayTest, AuthorisesWithTheRequestsHeader) {
  Start(TwoCallers());
  const std::string json = "Content-Type: application/json\r\n";
  EXPECT_THAT(Post(kDisconnect, "{}"),
              AllOf(StartsWith("HTTP/1.1 401 "), HasSubstr(R"("code":"unauthenticated")")));
  EXPECT_THAT(Post(kDisconnect, "{}", json + "Authorization: Bearer wrong\r\n"),
              StartsWith("HTTP/1.1 401 "));
  // Its handler knows who it is and from where, and believes no header about that.
  EXPECT_THAT(Post(kDisconnect, "{}",
                   json + "Authorization: Bearer secret\r\nspillway-caller: eve\r\n"
                          "spillway-gateway: x\r\nX-Forwarded-For: 203.0.113.7\r\n"),
              AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr(R"("nodeId":"otto 127.0.0.1")")));
  EXPECT_THAT(Post(kDisconnect, "{}", json + "Authorization: bearer look\r\n"),
              AllOf(StartsWith("HTTP/1.1 403 "), HasSubstr(R"("code":"permission_denied")"),
                    HasSubstr("role_too_low: Disconnect needs the role operator")));
  EXPECT_THAT(Post(kDisconnect, "{}",
                   json + "Authorization: Bearer secret\r\nAuthorization: Bearer secret\r\n"),
              AllOf(StartsWith("HTTP/1.1 401 "), HasSubstr("more than once")));
  EXPECT_THAT(Post(kSnapshot, "{}", json + "Authorization: Bearer secret\r\n"),
              StartsWith("HTTP/1.1 501 "))
      << "nobody has said who may call this service";
}

TEST_F(GatewayTest, AStreamIsALineForEachAnswer) {
  Start();
  read_.pieces = 3;
  const std::string answer = Post(kSnapshot, "{}");
  EXPECT_THAT(answer, AllOf(StartsWith("HTTP/1.1 200 OK\r\n"),
                            HasSubstr("Content-Type: application/x-ndjson\r\n"),
                            HasSubstr("Transfer-Encoding: chunked\r\n")));
  size_t lines = 0;
  for (size_t at = answer.find("\"sinceUs\":\"7\""); at != std::string::npos;
       at = answer.find("\"sinceUs\":\"7\"", at + 1)) {
    ++lines;
  }
  EXPECT_EQ(lines, 3u);
  EXPECT_THAT(answer, HasSubstr("{\"error\":{\"code\":\"out_of_range\",\"message\":\"that was "
                                "all\"}}\n\r\n0\r\n\r\n"));
  read_.pieces = 0;
  EXPECT_THAT(Post(kSnapshot, "{}"), StartsWith("HTTP/1.1 400 ")) << "nothing was begun";
}

TEST_F(GatewayTest, AClientThatGoesEndsItsStream) {
  Start(nullptr, /*max_streams=*/1);
  read_.pieces = -1;
  {
    RawClient client(http_->port());
    client.Send(Request(kSnapshot, "{}"));
    client.ReadUntil("sinceUs");
    EXPECT_THAT(Post(kSnapshot, "{}"), StartsWith("HTTP/1.1 429 ")) << "one at a time";
  }
  AwaitEnd();
  EXPECT_EQ(read_.cancelled, 1);
}

// It does not read: neither the call nor the end of everything waits for it.
TEST_F(GatewayTest, ShutdownEndsAStreamThatNobodyTakes) {
  Start();
  read_.pieces = -1;
  RawClient client(http_->port());
  client.Send(Request(kSnapshot, "{}"));
  client.ReadUntil("sinceUs");
  gateway_->Shutdown();
  AwaitEnd();  // the service hears of it a little later
  EXPECT_EQ(read_.cancelled, 1);
  EXPECT_THAT(Post(kDisconnect, "{}"), StartsWith("HTTP/1.1 503 "));
}

TEST_F(GatewayTest, DescribesItself) {
  Start();
  RawClient client(http_->port());
  client.Send("GET /openapi.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string answer = client.ReadAll();
  const std::string document = answer.substr(answer.find("\r\n\r\n") + 4);
  google::protobuf::Struct parsed;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(document, &parsed).ok()) << document;
  const auto& paths = parsed.fields().at("paths").struct_value().fields();
  EXPECT_TRUE(paths.contains(kDisconnect));
  EXPECT_TRUE(paths.contains(kSnapshot));
  const auto& disconnect =
      paths.at(kDisconnect).struct_value().fields().at("post").struct_value().fields();
  EXPECT_EQ(disconnect.at("x-required-role").string_value(), "operator");
  const auto& schemas = parsed.fields().at("components").struct_value().fields().at("schemas");
  for (const char* name : {"spillway.v1.DisconnectRequest", "spillway.v1.ReadResponse",
                           "spillway.v1.Event", "spillway.v1.PayloadEncoding", "Error"}) {
    EXPECT_TRUE(schemas.struct_value().fields().contains(name)) << name;
  }
}

}  // namespace
}  // namespace spillway::gateway
