// Who may be an edge: a real ingest that asks for credentials, and a real edge that has them or
// not.

#include <gmock/gmock.h>

#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/integration/edge/edge_fixture.h"
#include "tests/integration/ingest/test_ingest.h"
#include "tests/support/certificates.h"
#include "tests/support/lasting_port.h"

namespace spillway::test {
namespace {

using testing::HasSubstr;

class LinkAccessTest : public EdgeTest {
 protected:
  void StartIngest(const std::string& link, const std::string& more = "",
                   const std::string& address = "") {
    ingest_ = std::make_unique<ingest::TestIngest>(
        absl::StrCat("  embedded_broker: {enabled: true, topics: [{name: prices, partitions: 1}]}\n"
                     "  routes: [{name: r, topics: [prices], emit: [{channels: ['price:x']}]}]\n"
                     "  link: ",
                     link, "\n", more),
        address.empty() ? LastingAddress() : address);
    if (address.empty()) config_ = Config(ingest_->grpc());
  }
  void StartEdge() {
    auto edge = edge::EdgeApp::Start(config_, Clock::Real());
    ASSERT_TRUE(edge.ok()) << edge.status();
    edge_ = *std::move(edge);
  }
  v1::IngestsConfig& ingests() { return *config_.mutable_ingests(); }
  // A subscription with a snapshot or history is a read beside the link.
  void ExpectServed() {
    ASSERT_TRUE(WaitForReady("\"ingest\":\"connected\""));
    BeastClient client;
    Connect(client);
    Subscribe(client, "price:x");
  }

  std::unique_ptr<ingest::TestIngest> ingest_;
  v1::EdgeConfig config_;
};

TEST_F(LinkAccessTest, AnEdgeWithTheTokenIsServed) {
  StartIngest("{bearer_token: 'for edges'}");
  ingests().set_bearer_token("for edges");
  StartEdge();
  ExpectServed();
}

TEST_F(LinkAccessTest, AnEdgeWithAnotherTokenIsToldSoAndGoesOnTrying) {
  StartIngest("{bearer_token: right}");
  const std::string address = ingest_->grpc();
  ingests().set_bearer_token("wrong");
  StartEdge();
  EXPECT_TRUE(WaitForReady("link_denied: bad_credentials: ingest.link"));
  EXPECT_THAT(last_ready_, HasSubstr("edge.ingests.bearer_token"));
  EXPECT_EQ(last_ready_.find("wrong"), std::string::npos);
  // It serves its clients meanwhile.
  BeastClient client;
  Connect(client);
  EXPECT_THAT(Get(edge_->ops_port(), "/metrics"),
              testing::Not(HasSubstr("spillway_edge_links_denied_total 0")));
  EXPECT_THAT(Get(ingest_->app().ops_port(), "/metrics"),
              HasSubstr("spillway_ingest_calls_refused_total{reason=\"bad_credentials\"}"));
  ingest_.reset();
  StartIngest("{bearer_token: wrong}", "", address);
  EXPECT_TRUE(WaitForReady("\"ingest\":\"connected\""));
}

TEST_F(LinkAccessTest, AnEdgeWithoutATokenIsRefused) {
  StartIngest("{bearer_token: right}");
  StartEdge();
  EXPECT_TRUE(WaitForReady("link_denied: no_credentials: ingest.link"));
}

TEST_F(LinkAccessTest, TokensChangeWithoutARestart) {
  const std::string server = dir_.Write("server", "one\ntwo\n");
  StartIngest(absl::StrCat("{callers: [{name: edges, token_file: ", server, "}]}"));
  ingests().set_token_file(dir_.Write("client", "two\none\n"));
  StartEdge();
  ExpectServed();
}

TEST_F(LinkAccessTest, ACertificateCanBeTheEdgesName) {
  const Certificates certs(dir_.path());
  const std::string tls =
      absl::StrCat("  tls: {cert_file: ", certs.server_cert(), ", key_file: ", certs.server_key(),
                   ", ca_file: ", certs.ca(), "}\n");
  StartIngest("{callers: [{name: edges, certificate_san: client}]}", tls);
  ingests().mutable_tls()->set_ca_file(certs.ca());
  ingests().mutable_tls()->set_cert_file(certs.client_cert());
  ingests().mutable_tls()->set_key_file(certs.client_key());
  StartEdge();
  ExpectServed();
  edge_->Stop(std::chrono::seconds(5));

  // One of the same authority, of somebody else.
  StartIngest("{callers: [{name: edges, certificate_san: other}]}", tls);
  ingests().mutable_tls()->set_ca_file(certs.ca());
  ingests().mutable_tls()->set_cert_file(certs.client_cert());
  ingests().mutable_tls()->set_key_file(certs.client_key());
  StartEdge();
  EXPECT_TRUE(WaitForReady("link_denied: no_credentials"));
}

TEST_F(LinkAccessTest, AFileWithoutATokenIsNamedAtTheStart) {
  StartIngest("{bearer_token: right}");
  ingests().set_token_file(dir_.path() + "/none");
  const auto edge = edge::EdgeApp::Start(config_, Clock::Real());
  EXPECT_THAT(std::string(edge.status().message()),
              HasSubstr("edge.ingests.token_file: the token file"));
}

}  // namespace
}  // namespace spillway::test
