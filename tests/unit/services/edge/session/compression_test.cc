// Who negotiates compression, and which of a session's messages are compressed.

#include "tests/unit/services/edge/session/session_fixture.h"

namespace spillway::edge {
namespace {

using CompressionTest = SessionTest;
using ::testing::HasSubstr;

http::Request From(std::string agent, std::string said = "") {
  http::Request request;
  request.path = "/ws";
  if (!agent.empty()) request.headers.emplace_back("user-agent", std::move(agent));
  if (!said.empty()) request.query.emplace_back("compress", std::move(said));
  return request;
}

constexpr char kPhone[] =
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36";
constexpr char kDesktop[] =
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";

TEST(CompressionRule, OffIsForNobody) {
  const CompressionRule rule{.mode = CompressionMode::kOff, .user_agents = {"android"}};
  EXPECT_FALSE(rule.Admits(From(kPhone)));
  EXPECT_FALSE(rule.Admits(From(kPhone, "1")));
}

TEST(CompressionRule, AutoIsForThoseWhoAskAndThoseItNames) {
  CompressionRule rule{.mode = CompressionMode::kAuto, .user_agents = {"iphone", "android"}};
  EXPECT_TRUE(rule.Admits(From(kPhone)));
  EXPECT_FALSE(rule.Admits(From(kDesktop)));
  EXPECT_FALSE(rule.Admits(From("")));
  EXPECT_TRUE(rule.Admits(From(kDesktop, "1")));
  EXPECT_TRUE(rule.Admits(From("", "true")));
  EXPECT_FALSE(rule.Admits(From(kPhone, "0")));
  EXPECT_FALSE(rule.Admits(From(kPhone, "false")));
  EXPECT_TRUE(rule.Admits(From(kPhone, "maybe")));  // as if it had said nothing
  rule.query_param = "";
  EXPECT_FALSE(rule.Admits(From(kDesktop, "1")));
}

TEST(CompressionRule, AlwaysIsForAllButThoseWhoAskNotTo) {
  const CompressionRule rule{.mode = CompressionMode::kAlways};
  EXPECT_TRUE(rule.Admits(From(kDesktop)));
  EXPECT_TRUE(rule.Admits(From("")));
  EXPECT_FALSE(rule.Admits(From(kDesktop, "0")));
}

TEST_F(CompressionTest, TheEndpointDecidesWhoMayNegotiate) {
  EndpointOptions options = Open();
  Build(options);
  EXPECT_FALSE(acceptor_->OnUpgrade(From(kPhone, "1"), 0).deflate);
  options.compression = {.mode = CompressionMode::kAuto, .user_agents = {"android"}};
  Build(options);
  EXPECT_TRUE(acceptor_->OnUpgrade(From(kPhone), 0).deflate);
  EXPECT_FALSE(acceptor_->OnUpgrade(From(kDesktop), 0).deflate);
}

TEST_F(CompressionTest, ASettingThatCannotBeMeantIsRefused) {
  const auto error = [this](const EndpointOptions& options) {
    const auto endpoint =
        Endpoint::Create(options, {.dialect = encoders_.back().get(), .verifier = verifier_.get()});
    return std::string(endpoint.status().message());
  };
  EndpointOptions options = Open();
  options.compression.mode = CompressionMode::kAuto;
  EXPECT_EQ(error(options), "");
  options.compression.query_param = "token";
  EXPECT_THAT(error(options), HasSubstr("'token' is the one with the token"));
  options.compression.query_param = "symbol";
  options.params.emplace_back().name = "symbol";
  EXPECT_THAT(error(options), HasSubstr("'symbol' is one of the endpoint's own"));
  options.compression.query_param = "compress";
  options.compression.user_agents = {""};
  EXPECT_THAT(error(options), HasSubstr("an empty user agent matches all"));
}

TEST_F(CompressionTest, SharesEventsAndCompressesRepliesAboveTheThreshold) {
  Build(Open());
  OfferSlot("price.*", false);
  Client plain = Connect(RequestOf({}));
  Client wide = Connect(RequestOf({}), 15);
  Client other = Connect(RequestOf({}), 15);
  Client narrow = Connect(RequestOf({}), 12);
  EXPECT_NE(wide.session->variant(), plain.session->variant());
  EXPECT_EQ(wide.session->variant(), other.session->variant());
  EXPECT_NE(wide.session->variant(), narrow.session->variant());
  EXPECT_EQ(variants_[wide.session->variant()].in_use.load(), 2);
  for (Client* client : {&plain, &wide, &other, &narrow}) {
    client->Take();
    client->Says(R"({"type":"subscribe","id":1,"channels":["price.BTC"]})");
  }
  hub_.OnInterest("price.BTC", 3, 0, clock_.Now());
  for (Client* client : {&plain, &wide, &other, &narrow}) client->Take();
  EXPECT_EQ(wide.transport->compressed, 0);  // short replies go out as they are

  const std::string large = "\"" + std::string(1000, 'x') + "\"";
  EdgeBatch batch;
  batch.events.push_back(EventOf("price.BTC", 1, large));
  batch.events.push_back(EventOf("price.BTC", 2, "2"));
  batch.progress.push_back({3, 2, 0});
  hub_.OnBatch(batch, clock_.Now());
  const std::vector<std::string> got = plain.Take();
  ASSERT_EQ(got.size(), 2u);
  EXPECT_THAT(got[0], HasSubstr(large));
  for (Client* client : {&wide, &other, &narrow}) {
    EXPECT_EQ(client->Take(), got);
    EXPECT_EQ(client->transport->compressed, 1);
  }
  EXPECT_EQ(plain.transport->compressed, 0);
  EXPECT_EQ(variants_.counters().compressed.Value(), 2u);  // one for each window
  EXPECT_EQ(counters_.messages_compressed.Value(), 3u);

  const std::string long_name(250, 'n');
  wide.Says(R"({"type":"unsubscribe","id":9,"channels":[")" + long_name + "\"]}");
  EXPECT_THAT(wide.TakeOne(), HasSubstr("not_subscribed"));
  EXPECT_EQ(wide.transport->compressed, 2);

  const VariantId variant = wide.session->variant();
  wide.session->OnClosed(1000, "");
  EXPECT_EQ(variants_[variant].in_use.load(), 1);
}

TEST_F(CompressionTest, AChannelMayBeKeptOutOfIt) {
  Build(Open(), {{.pattern = "raw.*",
                  .access = ChannelAccess::kAnyone,
                  .allow = {},
                  .snapshot = false,
                  .compress = false}});
  OfferSlot("*.*", true);
  Client client = Connect(RequestOf({}), 15);
  client.Take();
  EXPECT_NE(client.session->VariantFor("price.BTC"), variant_);
  EXPECT_EQ(client.session->VariantFor("raw.BTC"), variant_);
  client.Says(R"({"type":"subscribe","channels":["price.BTC","raw.BTC"]})");
  hub_.OnInterest("price.BTC", 3, 0, clock_.Now());
  hub_.OnInterest("raw.BTC", 3, 0, clock_.Now());
  client.Take();

  const std::string large = "\"" + std::string(1000, 'x') + "\"";
  EdgeBatch batch;
  batch.events.push_back(EventOf("raw.BTC", 1, large));
  batch.progress.push_back({3, 1, 0});
  hub_.OnBatch(batch, clock_.Now());
  EXPECT_THAT(client.TakeOne(), HasSubstr(large));
  EXPECT_EQ(client.transport->compressed, 0);
  batch.events = {EventOf("price.BTC", 2, large)};
  batch.progress = {{3, 2, 0}};
  hub_.OnBatch(batch, clock_.Now());
  EXPECT_THAT(client.TakeOne(), HasSubstr(large));
  EXPECT_EQ(client.transport->compressed, 1);
  EXPECT_EQ(variants_.counters().compressed.Value(), 1u);

  // Snapshots, too.
  SnapshotPiece piece;
  piece.channel = "raw.BTC";
  piece.events.push_back(EventOf("raw.BTC", 1, large));
  client.session->OnSnapshot(piece);
  EXPECT_EQ(client.transport->compressed, 1);
  piece.channel = "price.BTC";
  client.session->OnSnapshot(piece);
  EXPECT_EQ(client.transport->compressed, 2);
}

}  // namespace
}  // namespace spillway::edge
