// The publish API as HTTP/JSON, up to Kafka.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/integration/ingest/test_ingest.h"
#include "tests/integration/ws/beast_client.h"

namespace spillway::ingest {
namespace {

using testing::HasSubstr;

std::string Post(TestIngest& ingest, const std::string& method, const std::string& body) {
  return test::RawExchange(
      static_cast<uint16_t>(ingest.app().ops_port()),
      absl::StrCat("POST /spillway.v1.PublishService/", method, " HTTP/1.1\r\nHost: i\r\n",
                   "Content-Type: application/json\r\nAuthorization: Bearer s3cret\r\n",
                   "Connection: close\r\nContent-Length: ", body.size(), "\r\n\r\n", body));
}

TEST(PublishHttp, WritesToKafka) {
  TestIngest ingest(
      "  embedded_broker: {enabled: true, topics: [{name: prices, partitions: 1}]}\n"
      "  publish: {http: true, bearer_token: s3cret, max_message_bytes: 4MiB}\n"
      "  routes: [{name: r, topics: [prices], emit: [{channels: ['p:{/symbol}']}]}]\n");
  // Values are bytes: base64 in JSON. This one is {"symbol":"BTC"}.
  const std::string one =
      R"({"publication":{"durable":{"topic":"prices","value":"eyJzeW1ib2wiOiJCVEMifQ=="}}})";
  EXPECT_THAT(Post(ingest, "Publish", one), HasSubstr(R"("offset":"0")"));
  EXPECT_THAT(Post(ingest, "Publish", one), HasSubstr(R"("offset":"1")"));
  EXPECT_THAT(Post(ingest, "Publish", R"({"publication":{}})"), HasSubstr("publish_missing_kind"));
  const std::string large(2 << 20, 'A');
  EXPECT_THAT(Post(ingest, "Publish",
                   absl::StrCat(R"({"publication":{"durable":{"topic":"prices","value":")", large,
                                R"("}}})")),
              HasSubstr(R"("offset":"2")"));
  EXPECT_THAT(Post(ingest, "PublishStream", "{}"), HasSubstr("404 "));
}

}  // namespace
}  // namespace spillway::ingest
