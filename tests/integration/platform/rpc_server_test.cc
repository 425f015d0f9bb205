#include <gmock/gmock.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>

#include "common/base/mutex.h"
#include "common/rpc/client.h"
#include "common/rpc/correlation.h"
#include "common/rpc/server.h"
#include "common/rpc/status.h"
#include "spillway/v1/admin.grpc.pb.h"
#include "spillway/v1/publish.grpc.pb.h"
#include "tests/support/certificates.h"
#include "tests/support/lasting_port.h"
#include "tests/support/temp_dir.h"

namespace spillway::rpc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

// Counts the calls that reach it.
class CountingAdmin final : public v1::AdminService::CallbackService {
 public:
  grpc::ServerUnaryReactor* GetStats(grpc::CallbackServerContext* context,
                                     const v1::GetStatsRequest*, v1::GetStatsResponse*) override {
    ++calls;
    {
      MutexLock lock(mutex);
      correlation_id = CorrelationIdOf(*context);
    }
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  std::atomic<int> calls{0};
  Mutex mutex;
  std::string correlation_id SPILLWAY_GUARDED_BY(mutex);  // of the last call
};

// Answers a stream's requests with nothing until it is cancelled.
class SilentPublish final : public v1::PublishService::CallbackService {
 public:
  using Reactor = grpc::ServerBidiReactor<v1::PublishStreamRequest, v1::PublishStreamResponse>;
  Reactor* PublishStream(grpc::CallbackServerContext*) override {
    class Silent final : public Reactor {
     public:
      Silent() { StartSendInitialMetadata(); }
      void OnCancel() override { Finish(grpc::Status::CANCELLED); }
      void OnDone() override { delete this; }
    };
    return new Silent;
  }
};

// "secret" opens the admin API.
std::shared_ptr<Access> OneCaller() {
  return *Access::Create(
      {{.key = "edge.admin",
        .services = {"spillway.v1.AdminService"},
        .callers = {{.name = "ada", .role = v1::ROLE_ADMIN, .token = "secret"}}}},
      Clock::Real());
}

class RpcServerTest : public testing::Test {
 protected:
  void StartServer() {
    options_.services = {&admin_, &publish_};
    auto server = Server::Start(options_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    ASSERT_NE(server_->port(), 0);
  }

  std::shared_ptr<grpc::Channel> Connect(const ChannelOptions& options = {}) {
    auto channel = CreateChannel("127.0.0.1:" + std::to_string(server_->port()), options);
    EXPECT_TRUE(channel.ok()) << channel.status();
    return *channel;
  }

  grpc::Status GetStats(const std::shared_ptr<grpc::Channel>& channel,
                        const std::string& authorization = "") {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + seconds(10));
    if (!authorization.empty()) context.AddMetadata("authorization", authorization);
    v1::GetStatsResponse response;
    return v1::AdminService::NewStub(channel)->GetStats(&context, {}, &response);
  }

  // Calls a method with a message's bytes: for services of which no generated code is at hand.
  grpc::Status Raw(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                   const std::string& request, std::string* response) {
    grpc::GenericStub stub(channel);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + seconds(10));
    const grpc::Slice slice(request);
    const grpc::ByteBuffer in(&slice, 1);
    grpc::ByteBuffer out;
    grpc::CompletionQueue queue;
    auto call = stub.PrepareUnaryCall(&context, method, in, &queue);
    call->StartCall();
    grpc::Status status;
    call->Finish(&out, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    grpc::Slice whole;
    if (status.ok() && out.DumpToSingleSlice(&whole).ok()) {
      response->assign(reinterpret_cast<const char*>(whole.begin()), whole.size());
    }
    return status;
  }

  // grpc.health.v1.HealthCheckResponse of the whole server: field 1 is the status, 1 = SERVING.
  std::string Health(const std::shared_ptr<grpc::Channel>& channel) {
    std::string response;
    const grpc::Status status = Raw(channel, "/grpc.health.v1.Health/Check", "", &response);
    return status.ok() ? response : status.error_message();
  }

  ServerOptions options_;
  CountingAdmin admin_;
  SilentPublish publish_;
  std::unique_ptr<Server> server_;
};

TEST_F(RpcServerTest, ServesWithHealth) {
  StartServer();
  const auto channel = Connect();
  EXPECT_TRUE(GetStats(channel).ok());
  EXPECT_EQ(admin_.calls, 1);
  EXPECT_EQ(Health(channel), "\x08\x01");
  server_->SetServing(false);
  EXPECT_EQ(Health(channel), "\x08\x02");
}

TEST_F(RpcServerTest, EveryCallHasACorrelationIdAndGivesItBack) {
  StartServer();
  const auto channel = Connect();
  const auto call = [&](const std::string& name, const std::string& value) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + seconds(10));
    if (!name.empty()) context.AddMetadata(name, value);
    v1::GetStatsResponse response;
    EXPECT_TRUE(v1::AdminService::NewStub(channel)->GetStats(&context, {}, &response).ok());
    std::string seen;
    {
      MutexLock lock(admin_.mutex);
      seen = admin_.correlation_id;
    }
    for (const auto* metadata :
         {&context.GetServerInitialMetadata(), &context.GetServerTrailingMetadata()}) {
      EXPECT_EQ(metadata->count("x-correlation-id"), 1u);
      const auto found = metadata->find("x-correlation-id");
      if (found == metadata->end()) continue;
      EXPECT_EQ(std::string(found->second.data(), found->second.size()), seen);
    }
    return seen;
  };
  EXPECT_EQ(call("x-correlation-id", "trace-1"), "trace-1");
  EXPECT_EQ(call("x-request-id", "r-1"), "r-1");
  EXPECT_EQ(call("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            "4bf92f3577b34da6a3ce929d0e0e4736");
  const std::string made = call("", "");
  EXPECT_EQ(made.size(), 32u);
  EXPECT_NE(call("x-correlation-id", "not one, \"really\""), made);
}

TEST_F(RpcServerTest, ReflectionKnowsTheHealthService) {
  StartServer();
  // ServerReflectionRequest (grpc/reflection/v1alpha): field 4 is a symbol to find the file of.
  const std::string symbol = "grpc.health.v1.Health";
  std::string request = "\x22";
  request += static_cast<char>(symbol.size());
  std::string response;
  ASSERT_TRUE(Raw(Connect(), "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                  request + symbol, &response)
                  .ok());
  EXPECT_THAT(response, HasSubstr("HealthCheckResponse"));
}

TEST_F(RpcServerTest, TheBearerTokenGuardsTheHandler) {
  options_.access = OneCaller();
  StartServer();
  const auto channel = Connect();
  const grpc::Status missing = GetStats(channel);
  EXPECT_EQ(missing.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_THAT(missing.error_message(), HasSubstr("needs the metadata 'authorization: Bearer"));
  const grpc::Status wrong = GetStats(channel, "Bearer other");
  EXPECT_EQ(wrong.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_THAT(wrong.error_message(), HasSubstr("bad_credentials: edge.admin: the bearer token"));
  EXPECT_EQ(admin_.calls, 0);

  EXPECT_TRUE(GetStats(channel, "Bearer secret").ok());
  EXPECT_EQ(admin_.calls, 1);
  EXPECT_EQ(Health(channel), "\x08\x01");  // open
  std::string ignored;
  const grpc::Status other = Raw(channel, "/spillway.v1.PublishService/Publish", "", &ignored);
  // A service of which nobody has said who may call it is served to nobody.
  EXPECT_EQ(other.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(other.error_message(), "this port has no such method");
}

TEST_F(RpcServerTest, TwoTokensAreNoToken) {
  options_.access = OneCaller();
  StartServer();
  grpc::ClientContext context;
  AddBearer("other", &context);
  AddBearer("secret", &context);
  v1::GetStatsResponse response;
  EXPECT_EQ(v1::AdminService::NewStub(Connect())->GetStats(&context, {}, &response).error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(admin_.calls, 0);
}

TEST_F(RpcServerTest, BoundsMessages) {
  options_.max_message_bytes = 1000;
  StartServer();
  const auto channel = Connect();
  std::string ignored;
  const std::string method = "/spillway.v1.AdminService/GetStats";
  // Field 1000, unknown to the message, as bytes: within the bound it is skipped.
  const auto sized = [](size_t size) {
    std::string message = "\xC2\x3E";
    message += static_cast<char>(0x80 | (size & 0x7F));
    message += static_cast<char>(size >> 7);
    return message + std::string(size, 'x');
  };
  EXPECT_TRUE(Raw(channel, method, sized(900), &ignored).ok());
  EXPECT_EQ(Raw(channel, method, sized(1000), &ignored).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(RpcServerTest, ShutdownEndsStreamsThatAnswerTheirCancel) {
  StartServer();
  grpc::ClientContext context;
  const auto stub = v1::PublishService::NewStub(Connect());
  const auto stream = stub->PublishStream(&context);
  stream->WaitForInitialMetadata();
  server_->Shutdown(milliseconds(10));
  v1::PublishStreamResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_FALSE(stream->Finish().ok());
  server_->Shutdown(milliseconds(10));  // again: nothing
}

TEST_F(RpcServerTest, ATakenPortIsAnError) {
  StartServer();
  ServerOptions same;
  same.address = "127.0.0.1:" + std::to_string(server_->port());
  const auto second = Server::Start(same);
  EXPECT_TRUE(absl::IsUnavailable(second.status()));
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr("cannot serve gRPC on '127.0.0.1:"));
}

TEST_F(RpcServerTest, AClientComesBackToARestartedServer) {
  options_.address = test::LastingAddress();
  StartServer();
  const auto channel = Connect();
  ASSERT_TRUE(GetStats(channel).ok());
  server_.reset();
  EXPECT_EQ(GetStats(channel).error_code(), grpc::StatusCode::UNAVAILABLE);
  StartServer();
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  context.set_deadline(std::chrono::system_clock::now() + seconds(10));
  v1::GetStatsResponse response;
  EXPECT_TRUE(v1::AdminService::NewStub(channel)->GetStats(&context, {}, &response).ok());
}

class RpcTlsTest : public RpcServerTest {
 protected:
  test::TempDir dir_;
  test::Certificates certs_{dir_.path()};
};

TEST_F(RpcTlsTest, ServesOverTls) {
  options_.tls = {certs_.server_cert(), certs_.server_key(), ""};
  options_.access = OneCaller();
  StartServer();
  ChannelOptions client;
  client.tls.ca = certs_.ca();
  EXPECT_TRUE(GetStats(Connect(client), "Bearer secret").ok());
  EXPECT_EQ(GetStats(Connect(client)).error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(GetStats(Connect()).error_code(), grpc::StatusCode::UNAVAILABLE);  // plain text
  client.tls_server_name = "elsewhere";
  EXPECT_EQ(GetStats(Connect(client)).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(RpcTlsTest, MutualTlsWantsAClientCertificate) {
  options_.tls = {certs_.server_cert(), certs_.server_key(), certs_.ca()};
  StartServer();
  ChannelOptions client;
  client.tls.ca = certs_.ca();
  EXPECT_EQ(GetStats(Connect(client)).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(admin_.calls, 0);
  client.tls = {certs_.client_cert(), certs_.client_key(), certs_.ca()};
  EXPECT_TRUE(GetStats(Connect(client)).ok());
}

TEST_F(RpcTlsTest, RefusesBadFilesAtTheStart) {
  options_.tls = {certs_.server_cert(), certs_.client_key(), ""};
  EXPECT_THAT(std::string(Server::Start(options_).status().message()),
              HasSubstr("does not belong"));
  options_.tls = {"", "", certs_.ca()};
  EXPECT_THAT(std::string(Server::Start(options_).status().message()),
              HasSubstr("needs a certificate"));
}

}  // namespace
}  // namespace spillway::rpc
