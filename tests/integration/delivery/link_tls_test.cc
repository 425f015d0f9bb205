// TLS between the tiers: a real ingest, a real edge, and certificates made for the test.

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>

#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/rpc/client.h"
#include "spillway/v1/publish.grpc.pb.h"
#include "tests/integration/edge/edge_fixture.h"
#include "tests/integration/ingest/test_ingest.h"
#include "tests/support/certificates.h"
#include "tests/support/lasting_port.h"

namespace spillway::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class LinkTlsTest : public EdgeTest {
 protected:
  // `tls`: what is in the ingest's section of that name; empty: no section.
  static std::string IngestConfig(const std::string& tls) {
    return absl::StrCat(
        "  embedded_broker: {enabled: true, topics: [{name: prices, partitions: 1}]}\n"
        "  publish: {bearer_token: 'let me in'}\n"
        "  routes: [{name: r, topics: [prices], emit: [{channels: ['price:{/symbol}']}]}]\n",
        tls.empty() ? "" : absl::StrCat("  tls: {", tls, "}\n"));
  }
  void StartIngest(const std::string& tls) {
    ingest_ = std::make_unique<ingest::TestIngest>(IngestConfig(tls), LastingAddress());
    config_ = Config(ingest_->grpc());
  }
  static std::string FilesOf(const Certificates& certs) {
    return absl::StrCat("cert_file: ", certs.server_cert(), ", key_file: ", certs.server_key());
  }
  // The edge's half; starts it, with what config_ says.
  v1::TlsConfig& tls() { return *config_.mutable_ingests()->mutable_tls(); }
  void StartEdge() {
    auto edge = edge::EdgeApp::Start(config_, Clock::Real());
    ASSERT_TRUE(edge.ok()) << edge.status();
    edge_ = *std::move(edge);
  }
  // Why there is no link, after the first attempt; empty if there is one.
  std::string WhyNotLinked() {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < deadline) {
      const edge::LinkRuntimeStatus status = edge_->upstream().status();
      for (const edge::IngestTargetStatus& ingest : status.ingests) {
        if (ingest.up) return "";
        if (!ingest.error.empty()) return ingest.error;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return "nothing happened";
  }
  // Whether the reason for having no link comes to hold this. The link that is lost is told first.
  bool WaitForReason(const std::string& wanted) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < deadline) {
      for (const edge::IngestTargetStatus& ingest : edge_->upstream().status().ingests) {
        if (!ingest.up && ingest.error.find(wanted) != std::string::npos) return true;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }
  grpc::Status Publish(const rpc::TlsFiles& files, const std::string& token) {
    rpc::ChannelOptions options;
    options.tls = files;
    const auto channel = rpc::CreateChannel(ingest_->grpc(), options);
    EXPECT_TRUE(channel.ok()) << channel.status();
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    rpc::AddBearer(token, &context);
    v1::PublishRequest request;
    request.mutable_publication()->mutable_durable()->set_topic("prices");
    request.mutable_publication()->mutable_durable()->set_value(R"({"symbol":"BTC"})");
    v1::PublishResponse response;
    return v1::PublishService::NewStub(*channel)->Publish(&context, request, &response);
  }

  TempDir other_dir_;
  Certificates certs_{dir_.path()};
  // Of another authority; the ingest's has a name and no address in it.
  Certificates others_{other_dir_.path(),
                       {.authority = "another", .server_names = "DNS:localhost"}};
  std::unique_ptr<ingest::TestIngest> ingest_;
  v1::EdgeConfig config_;
};

TEST_F(LinkTlsTest, EventsComeThroughALinkThatIsTrusted) {
  StartIngest(FilesOf(certs_));
  tls().set_ca_file(certs_.ca());
  StartEdge();
  ASSERT_TRUE(WaitForReady("\"status\":\"ready\""));
  BeastClient client;
  Connect(client);
  Subscribe(client, "price:BTC");
  const rpc::TlsFiles trust{.cert = "", .key = "", .ca = certs_.ca()};
  EXPECT_EQ(Publish(trust, "let me out").error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_TRUE(Publish(trust, "let me in").ok());
  EXPECT_THAT(Event(client), HasSubstr("\"channel\":\"price:BTC\""));
  // The same port serves nobody who does not trust it, or speaks plain text.
  EXPECT_EQ(Publish({.cert = "", .key = "", .ca = others_.ca()}, "let me in").error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Publish({}, "let me in").error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(LinkTlsTest, ACertificateIsForTheNameThatWasResolved) {
  StartIngest(FilesOf(others_));
  tls().set_ca_file(others_.ca());
  StartEdge();
  EXPECT_THAT(WhyNotLinked(), HasSubstr("127.0.0.1 is not in peer certificate"));
  edge_->Stop(std::chrono::seconds(5));

  config_.mutable_ingests()->clear_addresses();
  config_.mutable_ingests()->set_dns_name(absl::StrCat("localhost:", ingest_->app().grpc_port()));
  StartEdge();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  bool up = false;
  while (!up && std::chrono::steady_clock::now() < deadline) {
    for (const auto& ingest : edge_->upstream().status().ingests) up = up || ingest.up;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_TRUE(up);
}

TEST_F(LinkTlsTest, AnIngestOfAnotherAuthorityIsNotTrusted) {
  StartIngest(FilesOf(certs_));
  tls().set_ca_file(others_.ca());
  StartEdge();
  EXPECT_THAT(WhyNotLinked(), HasSubstr("certificate verify failed"));
  EXPECT_TRUE(WaitForReady("\"ingest\":\"disconnected\""));
}

TEST_F(LinkTlsTest, PlainAndTlsDoNotMeet) {
  StartIngest(FilesOf(certs_));
  StartEdge();
  EXPECT_THAT(WhyNotLinked(), HasSubstr("gRPC code 14"));
  edge_->Stop(std::chrono::seconds(5));
  StartIngest("");
  tls().set_ca_file(certs_.ca());
  StartEdge();
  EXPECT_THAT(WhyNotLinked(), HasSubstr("gRPC code 14"));
}

TEST_F(LinkTlsTest, AnIngestMayWantTheEdgesCertificate) {
  StartIngest(absl::StrCat(FilesOf(certs_), ", ca_file: ", certs_.ca()));
  tls().set_ca_file(certs_.ca());
  StartEdge();
  EXPECT_THAT(WhyNotLinked(), HasSubstr("gRPC code 14"));  // it has none
  edge_->Stop(std::chrono::seconds(5));

  tls().set_cert_file(others_.client_cert());
  tls().set_key_file(others_.client_key());
  StartEdge();
  EXPECT_THAT(WhyNotLinked(), HasSubstr("gRPC code 14"));  // of another authority
  edge_->Stop(std::chrono::seconds(5));

  tls().set_cert_file(certs_.client_cert());
  tls().set_key_file(certs_.client_key());
  StartEdge();
  EXPECT_EQ(WhyNotLinked(), "");
}

TEST_F(LinkTlsTest, AFileThatIsGoneIsNamedAtTheStart) {
  StartIngest("");
  tls().set_ca_file(dir_.path() + "/gone.pem");
  const auto edge = edge::EdgeApp::Start(config_, Clock::Real());
  EXPECT_EQ(edge.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(edge.status().message()),
              AllOf(HasSubstr("edge.ingests.tls: cannot read the TLS CA file"),
                    HasSubstr("/gone.pem': No such file")));
}

TEST_F(LinkTlsTest, AFileThatGoesAwayLaterIsNamedUntilItIsBack) {
  StartIngest(FilesOf(certs_));
  const std::string file = dir_.Write("trusted.pem", "");
  std::filesystem::copy_file(certs_.ca(), file, std::filesystem::copy_options::overwrite_existing);
  tls().set_ca_file(file);
  const std::string address = ingest_->grpc();
  StartEdge();
  ASSERT_EQ(WhyNotLinked(), "");
  std::filesystem::remove(file);
  ingest_.reset();
  EXPECT_TRUE(WaitForReason("trusted.pem': No such file"));
  std::filesystem::copy_file(certs_.ca(), file);
  ingest_ = std::make_unique<ingest::TestIngest>(IngestConfig(FilesOf(certs_)), address);
  EXPECT_TRUE(WaitForReady("\"status\":\"ready\""));
}

}  // namespace
}  // namespace spillway::test
