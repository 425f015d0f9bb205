// Who may call a server, and what its handlers know of who does: over real sockets, with TLS and
// without.

#include <gmock/gmock.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/rpc/access.h"
#include "common/rpc/client.h"
#include "common/rpc/server.h"
#include "spillway/v1/admin.grpc.pb.h"
#include "tests/support/certificates.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace spillway::rpc {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

// Answers with who calls, and from where.
class WhoAdmin final : public v1::AdminService::CallbackService {
 public:
  grpc::ServerUnaryReactor* GetStats(grpc::CallbackServerContext* context,
                                     const v1::GetStatsRequest*,
                                     v1::GetStatsResponse* response) override {
    const Caller caller = CallerOf(access.get(), *context, "spillway.v1.AdminService");
    response->set_version(caller.actor());
    response->set_node_id(caller.address);
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  std::shared_ptr<Access> access;
};

class RpcAccessTest : public testing::Test {
 protected:
  void StartServer() {
    options_.services = {&admin_};
    auto server = Server::Start(options_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  void Guard(std::vector<Access::CallerOptions> callers) {
    auto access = Access::Create({{.key = "edge.admin",
                                   .services = {"spillway.v1.AdminService"},
                                   .callers = std::move(callers)}},
                                 Clock::Real());
    ASSERT_TRUE(access.ok()) << access.status();
    options_.access = admin_.access = *access;
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

  ServerOptions options_;
  WhoAdmin admin_;
  std::unique_ptr<Server> server_;
};

TEST_F(RpcAccessTest, TheHandlerKnowsWhoCallsAndFromWhere) {
  Guard({{.name = "vera", .role = v1::ROLE_VIEWER, .token = "v"},
         {.name = "ada", .role = v1::ROLE_ADMIN, .token = "a"}});
  StartServer();
  grpc::ClientContext context;
  AddBearer("v", &context);
  // What a gateway says of its callers is believed from it alone.
  context.AddMetadata("spillway-gateway", "0123456789abcdef0123456789abcdef");
  context.AddMetadata("spillway-caller", "ada");
  context.AddMetadata("spillway-address", "203.0.113.7");
  v1::GetStatsResponse response;
  ASSERT_TRUE(v1::AdminService::NewStub(Connect())->GetStats(&context, {}, &response).ok());
  EXPECT_EQ(response.version(), "vera");
  EXPECT_EQ(response.node_id(), "127.0.0.1");
}

TEST_F(RpcAccessTest, OnlyAnAdminCallsForSomebodyElse) {
  Guard({{.name = "otto", .role = v1::ROLE_OPERATOR, .token = "o"},
         {.name = "edges", .role = v1::ROLE_ADMIN, .token = "e"}});
  StartServer();
  const auto stub = v1::AdminService::NewStub(Connect());
  const auto actor = [&](const char* token, const std::string& behalf) {
    grpc::ClientContext context;
    AddBearer(token, &context);
    context.AddMetadata("spillway-actor", behalf);
    v1::GetStatsResponse response;
    EXPECT_TRUE(stub->GetStats(&context, {}, &response).ok());
    return response.version();
  };
  EXPECT_EQ(actor("e", "ada"), "ada via edges");
  EXPECT_EQ(actor("o", "ada"), "otto");
  EXPECT_EQ(actor("e", "ada via root"), "edges") << "no name has spaces";
  EXPECT_EQ(actor("e", std::string(65, 'a')), "edges");
}

TEST_F(RpcAccessTest, AVeryLongHeaderIsRefused) {
  Guard({{.name = "ada", .role = v1::ROLE_ADMIN, .token = "secret"}});
  StartServer();
  const auto channel = Connect();
  EXPECT_FALSE(GetStats(channel, "Bearer " + std::string(7'000, 'x')).ok());
  EXPECT_FALSE(GetStats(channel, "Bearer " + std::string(1 << 20, 'x')).ok());
  EXPECT_TRUE(GetStats(Connect(), "Bearer secret").ok()) << "others are served";
}

class RpcAccessTlsTest : public RpcAccessTest {
 protected:
  test::TempDir dir_;
  test::Certificates certs_{dir_.path()};
};

TEST_F(RpcAccessTlsTest, ACertificateIsSomebodysName) {
  options_.tls = {certs_.server_cert(), certs_.server_key(), certs_.ca()};
  Guard({{.name = "dash", .role = v1::ROLE_VIEWER, .subject = "CN=client"},
         {.name = "ada", .role = v1::ROLE_ADMIN, .token = "a", .subject = "CN=client"},
         {.name = "eve", .role = v1::ROLE_ADMIN, .token = "e", .subject = "CN=eve"}});
  StartServer();
  ChannelOptions client;
  client.tls = {certs_.client_cert(), certs_.client_key(), certs_.ca()};
  const auto channel = Connect(client);
  const auto stub = v1::AdminService::NewStub(channel);
  const auto name = [&](const std::string& token) {
    grpc::ClientContext context;
    AddBearer(token, &context);
    v1::GetStatsResponse response;
    const grpc::Status status = stub->GetStats(&context, {}, &response);
    return status.ok() ? response.version() : status.error_message();
  };
  EXPECT_EQ(name(""), "dash");
  EXPECT_EQ(name("a"), "ada");
  EXPECT_THAT(name("e"), HasSubstr("without the certificate"));
  EXPECT_THAT(name("x"), HasSubstr("is nobody's"));
  grpc::ClientContext context;
  v1::DisconnectResponse response;
  EXPECT_EQ(stub->Disconnect(&context, {}, &response).error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(RpcAccessTlsTest, NewFilesAreUsedWithoutARestart) {
  test::FakeClock clock;
  test::TempDir elsewhere;
  const test::Certificates others(elsewhere.path(), {.authority = "another"});
  test::TempDir used;
  const std::string cert = used.path() + "/cert.pem";
  const std::string key = used.path() + "/key.pem";
  const auto put = [&](const test::Certificates& from) {
    // As they are replaced in practice: under another name, then renamed.
    for (const auto& [source, target] :
         {std::pair(from.server_cert(), cert), std::pair(from.server_key(), key)}) {
      std::filesystem::copy_file(source, target + ".new");
      std::filesystem::rename(target + ".new", target);
    }
  };
  put(certs_);
  options_.tls = {cert, key, ""};
  options_.clock = &clock;
  StartServer();
  ChannelOptions old_trust;
  old_trust.tls.ca = certs_.ca();
  ChannelOptions new_trust;
  new_trust.tls.ca = others.ca();
  const auto live = Connect(old_trust);
  ASSERT_TRUE(GetStats(live).ok());
  put(others);
  EXPECT_TRUE(GetStats(Connect(old_trust)).ok()) << "not looked at yet";
  clock.Advance(kTlsLookInterval);
  EXPECT_TRUE(GetStats(Connect(new_trust)).ok());
  EXPECT_FALSE(GetStats(Connect(old_trust)).ok());
  EXPECT_TRUE(GetStats(live).ok()) << "what is connected stays";
  EXPECT_EQ(server_->tls_reload_failures(), 0u);
  std::filesystem::copy_file(certs_.server_key(), key,
                             std::filesystem::copy_options::overwrite_existing);
  clock.Advance(kTlsLookInterval);
  EXPECT_TRUE(GetStats(Connect(new_trust)).ok()) << "what does not fit changes nothing";
  EXPECT_EQ(server_->tls_reload_failures(), 1u);
}

}  // namespace
}  // namespace spillway::rpc
