#include "common/fetch/http_fetcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/http/http_server.h"

namespace spillway::fetch {
namespace {

using testing::HasSubstr;

http::Response AnswerOf(int status, std::string body,
                        std::vector<std::pair<std::string, std::string>> headers = {}) {
  http::Response response;
  response.status = status;
  response.body = std::move(body);
  response.headers = std::move(headers);
  return response;
}

class HttpFetcherTest : public ::testing::Test {
 protected:
  HttpFetcherTest() {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): there is no other thread yet
    setenv("no_proxy", "127.0.0.1", 1);
    http::Routes routes;
    routes.Add("/good", [](const http::Request& request) {
      return AnswerOf(200, "agent " + std::string(request.Header("user-agent")));
    });
    routes.Add("/large",
               [](const http::Request&) { return AnswerOf(200, std::string(5000, 'x')); });
    routes.Add("/elsewhere", [](const http::Request&) {
      return AnswerOf(302, "", {{"Location", "/good"}});
    });
    routes.Add("/slow", [this](const http::Request&) {
      asked_.set_value();
      go_on_.get_future().wait();
      return AnswerOf(200, "late");
    });
    auto server = http::HttpServer::Start({}, std::move(routes));
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  std::string Url(const std::string& path) {
    return absl::StrCat("http://127.0.0.1:", server_->port(), path);
  }
  std::string ErrorOf(const std::string& url, const FetchOptions& options = {}) {
    const auto got = fetcher_.Get(url, options);
    return got.ok() ? "ok: " + *got : std::string(got.status().message());
  }

  std::promise<void> asked_;
  std::promise<void> go_on_;
  std::unique_ptr<http::HttpServer> server_;
  HttpFetcher fetcher_;
};

TEST_F(HttpFetcherTest, Fetches) {
  for (int i = 0; i < 3; ++i) {
    const auto got = fetcher_.Get(Url("/good"), {});
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_EQ(*got, "agent spillway");
  }
}

TEST_F(HttpFetcherTest, RefusesWhatIsNotAGoodAnswer) {
  EXPECT_EQ(ErrorOf(Url("/none")), "answered with HTTP status 404");
  EXPECT_EQ(ErrorOf(Url("/elsewhere")), "answered with HTTP status 302");
  EXPECT_EQ(ErrorOf(Url("/large"), {.max_bytes = 4999, .ca_file = {}}), "more than 4999 bytes");
  EXPECT_THAT(ErrorOf("file:///etc/passwd"), HasSubstr("rotocol"));
  EXPECT_THAT(ErrorOf("gopher://127.0.0.1/"), HasSubstr("rotocol"));
  const uint16_t port = server_->port();
  server_.reset();
  EXPECT_THAT(ErrorOf(absl::StrCat("http://user:password@127.0.0.1:", port, "/?secret=1")),
              testing::Not(testing::AnyOf(HasSubstr("password"), HasSubstr("secret"))));
}

TEST_F(HttpFetcherTest, IsBoundInTimeAndCanBeCancelled) {
  EXPECT_THAT(ErrorOf(Url("/slow"), {.timeout = std::chrono::milliseconds(50), .ca_file = {}}),
              HasSubstr("timed out"));
  go_on_.set_value();
}

TEST_F(HttpFetcherTest, CanBeCancelled) {
  std::thread other([this] {
    asked_.get_future().wait();
    fetcher_.Cancel();
  });
  EXPECT_EQ(ErrorOf(Url("/slow"), {.timeout = std::chrono::seconds(60), .ca_file = {}}),
            "cancelled");
  other.join();
  go_on_.set_value();
  EXPECT_EQ(ErrorOf(Url("/good")), "cancelled");
}

TEST(HttpUrls, AreToldApart) {
  for (const char* url : {"http://a", "https://a.b:1/c?d", "HTTPS://A"}) {
    EXPECT_TRUE(IsHttpUrl(url)) << url;
  }
  for (const char* url : {"", "a", "ftp://a", "http://", "https:///a", "file:///a", "http:/a",
                          "http://a b", "http://a\r\nHost: b", "//a"}) {
    EXPECT_FALSE(IsHttpUrl(url)) << url;
  }
  EXPECT_EQ(ShownUrl("https://user:pass@host:8/path?token=1#x"), "https://host:8/path");
  EXPECT_EQ(ShownUrl("http://host?a@b"), "http://host");
  EXPECT_EQ(ShownUrl("http://host/a@b"), "http://host/a@b");
}

}  // namespace
}  // namespace spillway::fetch
