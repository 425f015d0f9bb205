// The admin API of a whole edge, over gRPC.

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "common/rpc/client.h"
#include "spillway/v1/admin.grpc.pb.h"
#include "tests/integration/edge/edge_fixture.h"
#include "tests/integration/edge/fake_ingest.h"
#include "tests/support/certificates.h"

namespace spillway::test {
namespace {

class EdgeAdminTest : public EdgeTest {
 protected:
  void Start(const std::string& more = "  admin: {listen: '127.0.0.1:0'}\n") {
    StartEdge(ingest_.address(), more);
    ASSERT_TRUE(WaitForReady("\"status\":\"ready\""));
    Dial({});
  }
  void Dial(const rpc::TlsFiles& tls) {
    rpc::ChannelOptions options;
    options.tls = tls;
    const auto channel =
        rpc::CreateChannel(absl::StrCat("127.0.0.1:", edge_->admin_port()), options);
    ASSERT_TRUE(channel.ok()) << channel.status();
    stub_ = v1::AdminService::NewStub(*channel);
  }
  template <typename Request, typename Response>
  grpc::Status Call(grpc::Status (v1::AdminService::Stub::*method)(grpc::ClientContext*,
                                                                   const Request&, Response*),
                    const Request& request, Response* response, const std::string& token = "") {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    if (!token.empty()) context.AddMetadata("authorization", "Bearer " + token);
    return ((*stub_).*method)(&context, request, response);
  }

  FakeIngest ingest_{"ingest-1"};
  std::unique_ptr<v1::AdminService::Stub> stub_;
};

using Stub = v1::AdminService::Stub;

TEST_F(EdgeAdminTest, AConnectionOverATrustedProxyIsShownWithItsClientsAddress) {
  Start("  trusted_proxies: [127.0.0.1]\n  admin: {listen: '127.0.0.1:0'}\n");
  BeastClient client;
  ASSERT_TRUE(client.Connect(
      static_cast<uint16_t>(edge_->public_port()),
      {.path = "/ws", .headers = {{"X-Forwarded-For", "198.51.100.1, 203.0.113.7"}}}));
  client.Receive();
  v1::ListConnectionsResponse listed;
  ASSERT_TRUE(Call(&Stub::ListConnections, v1::ListConnectionsRequest(), &listed).ok());
  ASSERT_EQ(listed.connections_size(), 1);
  EXPECT_EQ(listed.connections(0).ip(), "203.0.113.7");
}

TEST_F(EdgeAdminTest, IsThereAsHttpAndJsonToo) {
  Start("  admin: {listen: '127.0.0.1:0', bearer_token: t0p, http: true}\n");
  BeastClient client;
  Connect(client);
  const auto post = [this](const std::string& method, const std::string& body,
                           const std::string& authorization) {
    return RawExchange(
        static_cast<uint16_t>(edge_->ops_port()),
        absl::StrCat("POST /spillway.v1.AdminService/", method, " HTTP/1.1\r\nHost: edge\r\n",
                     "Content-Type: application/json\r\nConnection: close\r\n", authorization,
                     "Content-Length: ", body.size(), "\r\n\r\n", body));
  };
  EXPECT_THAT(post("ListConnections", "{}", ""), testing::HasSubstr("401 "));
  const std::string token = "Authorization: Bearer t0p\r\n";
  const std::string listed = post("ListConnections", "{}", token);
  EXPECT_THAT(listed, testing::HasSubstr("200 OK"));
  EXPECT_THAT(listed, testing::HasSubstr(R"("endpoint":"/ws")"));
  EXPECT_THAT(post("Disconnect", R"({"all":true,"code":"x"})", token), testing::HasSubstr("400 "));
  EXPECT_THAT(post("Disconnect", R"({"all":true})", token),
              testing::HasSubstr(R"("disconnected":"1")"));
  EXPECT_THAT(Get(edge_->ops_port(), "/openapi.json"), testing::HasSubstr("AdminService"));
}

// The operations port is often open to more than the admin API should be.
TEST_F(EdgeAdminTest, IsNotThereAsHttpUnlessItIsToBe) {
  Start();
  EXPECT_THAT(Get(edge_->ops_port(), "/openapi.json"), testing::HasSubstr("404 "));
}

TEST_F(EdgeAdminTest, ListsAndShowsConnections) {
  Start();
  BeastClient clients[5];  // on both workers, in all likelihood
  for (BeastClient& client : clients) Connect(client);
  Subscribe(clients[0], "price:BTC");
  Subscribe(clients[1], "price:BTC");

  v1::ListConnectionsRequest request;
  request.set_page_size(2);
  std::vector<std::string> ids;
  do {
    v1::ListConnectionsResponse page;
    ASSERT_TRUE(Call(&Stub::ListConnections, request, &page).ok());
    EXPECT_EQ(page.node_id(), "edge-1");
    for (const auto& connection : page.connections()) ids.push_back(connection.id());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(ids.size(), 5u);
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));

  v1::ListConnectionsRequest of_channel;
  of_channel.set_channel("price:BTC");
  v1::ListConnectionsResponse subscribers;
  ASSERT_TRUE(Call(&Stub::ListConnections, of_channel, &subscribers).ok());
  ASSERT_EQ(subscribers.connections_size(), 2);

  v1::GetConnectionRequest get;
  get.set_connection_id(subscribers.connections(0).id());
  v1::GetConnectionResponse shown;
  ASSERT_TRUE(Call(&Stub::GetConnection, get, &shown).ok());
  ASSERT_EQ(shown.channels_size(), 1);
  EXPECT_EQ(shown.channels(0), "price:BTC");
  EXPECT_EQ(shown.connection().ip(), "127.0.0.1");

  v1::ListChannelsResponse channels;
  ASSERT_TRUE(Call(&Stub::ListChannels, v1::ListChannelsRequest(), &channels).ok());
  ASSERT_EQ(channels.channels_size(), 1);
  EXPECT_EQ(channels.channels(0).subscribers(), 2u);

  v1::GetStatsResponse stats;
  ASSERT_TRUE(Call(&Stub::GetStats, v1::GetStatsRequest(), &stats).ok());
  EXPECT_EQ(stats.connections(), 5u);
  EXPECT_EQ(stats.channels(), 1u);
  EXPECT_EQ(stats.subscriptions(), 2u);
  EXPECT_EQ(stats.messages_received(), 2u);
  ASSERT_EQ(stats.attachments_size(), 1);
  EXPECT_EQ(stats.attachments(0).topic(), "prices");
  EXPECT_EQ(stats.attachments(0).ingest(), "ingest-1");
}

TEST_F(EdgeAdminTest, UnknownAndBadIsSaid) {
  Start();
  v1::GetConnectionRequest get;
  get.set_connection_id(std::string(32, '0'));
  v1::GetConnectionResponse shown;
  EXPECT_EQ(Call(&Stub::GetConnection, get, &shown).error_code(), grpc::StatusCode::NOT_FOUND);
  get.set_connection_id("x");
  EXPECT_EQ(Call(&Stub::GetConnection, get, &shown).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  v1::DisconnectRequest disconnect;
  disconnect.set_connection_id(std::string(32, '0'));
  v1::DisconnectResponse disconnected;
  EXPECT_EQ(Call(&Stub::Disconnect, disconnect, &disconnected).error_code(),
            grpc::StatusCode::NOT_FOUND);
  disconnect.set_all(true);
  disconnect.set_code(1006);
  const grpc::Status status = Call(&Stub::Disconnect, disconnect, &disconnected);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "code is 1006: use 1000, or 3000 to 4999, or 0 for 4009");

  v1::ListConnectionsRequest list;
  list.set_ip("10.0.0.1/8");
  v1::ListConnectionsResponse listed;
  EXPECT_EQ(Call(&Stub::ListConnections, list, &listed).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  v1::WatchEventsRequest watch;
  watch.set_ip("10.0.0.1/8");
  EXPECT_EQ(stub_->WatchEvents(&context, watch)->Finish().error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(EdgeAdminTest, Broadcasts) {
  Start();
  BeastClient clients[4];
  for (BeastClient& client : clients) Connect(client);
  Subscribe(clients[0], "price:BTC");
  Subscribe(clients[1], "price:BTC");
  Subscribe(clients[1], "price:ETH");
  v1::BroadcastRequest request;
  request.add_channels("price:BTC");
  request.add_channels("price:ETH");
  request.set_type("halt");
  request.set_payload(R"({"until":"noon"})");
  v1::BroadcastResponse response;
  ASSERT_TRUE(Call(&Stub::Broadcast, request, &response).ok());
  EXPECT_EQ(response.delivered(), 3u);
  EXPECT_NE(Event(clients[0]).find(R"("data":{"until":"noon"})"), std::string::npos);
  EXPECT_NE(Event(clients[1]).find(R"("channel":"price:BTC")"), std::string::npos);
  EXPECT_NE(Event(clients[1]).find(R"("channel":"price:ETH")"), std::string::npos);

  request.clear_channels();
  request.set_all(true);
  ASSERT_TRUE(Call(&Stub::Broadcast, request, &response).ok());
  EXPECT_EQ(response.delivered(), 4u);
  for (BeastClient& client : clients) {
    EXPECT_THAT(Event(client), testing::HasSubstr(R"("channel":"$all")"));
  }
}

TEST_F(EdgeAdminTest, DisconnectsClients) {
  Start();
  BeastClient clients[3];
  for (BeastClient& client : clients) Connect(client);
  v1::DisconnectRequest request;
  request.set_ip("127.0.0.1");
  request.set_code(4242);
  request.set_reason("maintenance");
  v1::DisconnectResponse response;
  ASSERT_TRUE(Call(&Stub::Disconnect, request, &response).ok());
  EXPECT_EQ(response.disconnected(), 3u);
  for (BeastClient& client : clients) {
    const ClientResult end = client.Receive();
    EXPECT_EQ(end.close_code, 4242);
    EXPECT_EQ(end.close_reason, "maintenance");
  }
}

TEST_F(EdgeAdminTest, WantsItsToken) {
  Start("  admin: {listen: '127.0.0.1:0', bearer_token: 'let me in'}\n");
  v1::GetStatsResponse stats;
  EXPECT_EQ(Call(&Stub::GetStats, v1::GetStatsRequest(), &stats).error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(Call(&Stub::GetStats, v1::GetStatsRequest(), &stats, "let me out").error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_TRUE(Call(&Stub::GetStats, v1::GetStatsRequest(), &stats, "let me in").ok());
}

constexpr char kThreeCallers[] =
    "  admin:\n    listen: '127.0.0.1:0'\n    http: true\n    callers:\n"
    "      - {name: vera, bearer_token: v-token, role: viewer}\n"
    "      - {name: otto, bearer_token: o-token, role: operator}\n"
    "      - {name: ada, bearer_token: a-token, role: admin}\n";

TEST_F(EdgeAdminTest, EachCallerMayDoWhatItsRoleSays) {
  Start(kThreeCallers);
  v1::ListConnectionsResponse listed;
  v1::DisconnectRequest all;
  all.set_all(true);
  v1::DisconnectResponse ended;
  v1::BlockUserRequest block;
  block.set_user_id("u1");
  block.set_ttl_ms(60'000);
  v1::ControlResponse blocked;
  const v1::ListConnectionsRequest list;
  EXPECT_TRUE(Call(&Stub::ListConnections, list, &listed, "v-token").ok());
  const grpc::Status low = Call(&Stub::Disconnect, all, &ended, "v-token");
  EXPECT_EQ(low.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(low.error_message(),
            "role_too_low: Disconnect needs the role operator, and vera has viewer");
  EXPECT_TRUE(Call(&Stub::Disconnect, all, &ended, "o-token").ok());
  EXPECT_EQ(Call(&Stub::BlockUser, block, &blocked, "o-token").error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_TRUE(Call(&Stub::BlockUser, block, &blocked, "a-token").ok());
  v1::ApplyControlRequest apply;
  EXPECT_EQ(Call(&Stub::ApplyControl, apply, &blocked, "o-token").error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(Call(&Stub::ListConnections, list, &listed).error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(Call(&Stub::ListConnections, list, &listed, "v-toke").error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
  const std::string metrics = Get(edge_->ops_port(), "/metrics");
  for (const char* line : {"spillway_edge_calls_refused_total{reason=\"role_too_low\"} 3",
                           "spillway_edge_calls_refused_total{reason=\"no_credentials\"} 1",
                           "spillway_edge_calls_refused_total{reason=\"bad_credentials\"} 1"}) {
    EXPECT_THAT(metrics, testing::HasSubstr(line));
  }
}

TEST_F(EdgeAdminTest, EventsOfCallsNameTheirCaller) {
  Start(kThreeCallers);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  context.AddMetadata("authorization", "Bearer v-token");
  v1::WatchEventsRequest watch;
  watch.add_categories(v1::EVENT_CATEGORY_ADMIN);
  const auto stream = stub_->WatchEvents(&context, watch);
  stream->WaitForInitialMetadata();
  v1::DisconnectRequest all;
  all.set_all(true);
  v1::DisconnectResponse ended;
  v1::NodeEvent event;

  EXPECT_TRUE(Call(&Stub::Disconnect, all, &ended, "o-token").ok());
  ASSERT_TRUE(stream->Read(&event));
  EXPECT_EQ(event.kind(), "admin_call");
  EXPECT_EQ(event.actor(), "otto");
  EXPECT_EQ(event.ip(), "127.0.0.1");

  EXPECT_FALSE(Call(&Stub::Disconnect, all, &ended, "v-token").ok());
  ASSERT_TRUE(stream->Read(&event));
  EXPECT_EQ(event.kind(), "admin_refused");
  EXPECT_EQ(event.actor(), "vera");
  EXPECT_EQ(event.action(), "Disconnect");
  EXPECT_EQ(event.outcome(), "role_too_low");

  // Over HTTP it is the HTTP caller, not the gateway.
  const auto post = [this](const std::string& token) {
    return RawExchange(static_cast<uint16_t>(edge_->ops_port()),
                       absl::StrCat("POST /spillway.v1.AdminService/Disconnect HTTP/1.1\r\n",
                                    "Host: edge\r\nContent-Type: application/json\r\n",
                                    "Connection: close\r\nAuthorization: Bearer ", token,
                                    "\r\nContent-Length: 12\r\n\r\n{\"all\":true}"));
  };
  EXPECT_THAT(post("a-token"), testing::HasSubstr("200 OK"));
  ASSERT_TRUE(stream->Read(&event));
  EXPECT_EQ(event.kind(), "admin_call");
  EXPECT_EQ(event.actor(), "ada");
  EXPECT_EQ(event.ip(), "127.0.0.1");
  EXPECT_THAT(post("v-token"), testing::HasSubstr("403 "));
  ASSERT_TRUE(stream->Read(&event));
  EXPECT_EQ(event.actor(), "vera");
  EXPECT_EQ(event.ip(), "127.0.0.1");
  EXPECT_THAT(post("nobody's"), testing::HasSubstr("401 "));
  ASSERT_TRUE(stream->Read(&event));
  EXPECT_EQ(event.actor(), "");
  EXPECT_EQ(event.outcome(), "bad_credentials");
  context.TryCancel();
}

TEST_F(EdgeAdminTest, SpeaksTlsWhenItHasACertificate) {
  const Certificates certs(dir_.path());
  const TempDir elsewhere;
  const Certificates others(elsewhere.path(), {.authority = "another"});
  const std::string files =
      absl::StrCat("cert_file: ", certs.server_cert(), ", key_file: ", certs.server_key());
  Start(
      absl::StrCat("  admin: {listen: '127.0.0.1:0', bearer_token: secret, tls: {", files, "}}\n"));
  v1::GetStatsResponse stats;
  const v1::GetStatsRequest request;
  EXPECT_EQ(Call(&Stub::GetStats, request, &stats, "secret").error_code(),
            grpc::StatusCode::UNAVAILABLE);  // plain text
  Dial({.cert = "", .key = "", .ca = others.ca()});
  EXPECT_EQ(Call(&Stub::GetStats, request, &stats, "secret").error_code(),
            grpc::StatusCode::UNAVAILABLE);
  Dial({.cert = "", .key = "", .ca = certs.ca()});
  EXPECT_EQ(Call(&Stub::GetStats, request, &stats, "other").error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_TRUE(Call(&Stub::GetStats, request, &stats, "secret").ok());
  edge_->Stop(std::chrono::seconds(5));

  // With an authority for them it wants clients' certificates.
  Start(absl::StrCat("  admin: {listen: '127.0.0.1:0', tls: {", files, ", ca_file: ", certs.ca(),
                     "}}\n"));
  Dial({.cert = "", .key = "", .ca = certs.ca()});
  EXPECT_EQ(Call(&Stub::GetStats, request, &stats).error_code(), grpc::StatusCode::UNAVAILABLE);
  Dial({.cert = certs.client_cert(), .key = certs.client_key(), .ca = certs.ca()});
  EXPECT_TRUE(Call(&Stub::GetStats, request, &stats).ok());
}

}  // namespace
}  // namespace spillway::test
