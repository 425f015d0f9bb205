#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "common/http/json_error.h"
#include "common/http/ops_routes.h"
#include "common/http/routes.h"
#include "common/http/target.h"
#include "common/lifecycle/readiness.h"
#include "common/metrics/metrics.h"
#include "tests/support/fake_clock.h"

namespace spillway::http {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

TEST(TargetTest, SplitsAndDecodes) {
  const auto target = ParseTarget("/a%20b/c+d?x=1&y=a%26b+c&flag&=v&x=2&&z=a=b#f");
  ASSERT_TRUE(target.has_value());
  EXPECT_EQ(target->path, "/a b/c+d");
  EXPECT_THAT(target->query, ElementsAre(Pair("x", "1"), Pair("y", "a&b c"), Pair("flag", ""),
                                         Pair("", "v"), Pair("x", "2"), Pair("z", "a=b")));
  EXPECT_EQ(ParseTarget("/")->path, "/");
  EXPECT_TRUE(ParseTarget("/?")->query.empty());
}

TEST(TargetTest, RefusesWhatIsBroken) {
  for (const char* bad :
       {"", "*", "a", "http://x/", "/%", "/%2", "/%zz", "/%00", "/a?x=%", "/a?%g0=1"}) {
    EXPECT_FALSE(ParseTarget(bad).has_value()) << bad;
  }
}

Request Get(std::string path, std::string method = "GET") {
  Request request;
  request.method = std::move(method);
  request.path = std::move(path);
  return request;
}

Handler Says(std::string body) {
  return [body](const Request&) { return Json(200, body); };
}

TEST(RoutesTest, ExactBeatsLongestPrefix) {
  Routes routes;
  routes.AddPrefix("/a/", Says("a"));
  routes.AddPrefix("/a/b/", Says("ab"));
  routes.Add("/a/b/c", Says("abc"));
  EXPECT_EQ(routes.Dispatch(Get("/a/x")).body, "a");
  EXPECT_EQ(routes.Dispatch(Get("/a/b/x")).body, "ab");
  EXPECT_EQ(routes.Dispatch(Get("/a/b/c")).body, "abc");
  EXPECT_EQ(routes.Dispatch(Get("/a")).status, 404);
  EXPECT_EQ(routes.Dispatch(Get("/a/b/c", "HEAD")).body, "abc");
}

TEST(RoutesTest, AnswersErrorsInOneShape) {
  Routes routes;
  routes.Add("/post", Says("x"), {"POST", "PUT"});
  routes.Add("/throws", [](const Request&) -> Response { throw std::runtime_error("inside"); });
  EXPECT_EQ(routes.Dispatch(Get("/nothing")).body,
            R"({"error":{"code":"not_found","message":"There is nothing at this path."}})");
  const Response wrong = routes.Dispatch(Get("/post"));
  EXPECT_EQ(wrong.status, 405);
  EXPECT_THAT(wrong.headers, ElementsAre(Pair("Allow", "POST, PUT")));
  const Response failed = routes.Dispatch(Get("/throws"));
  EXPECT_EQ(failed.status, 500);
  EXPECT_THAT(failed.body, testing::Not(HasSubstr("inside")));
  EXPECT_EQ(JsonError(400, "c", "say \"x\"").body,
            R"({"error":{"code":"c","message":"say \"x\""}})");
}

TEST(OpsRoutesTest, AnswerHealthReadinessAndMetrics) {
  test::FakeClock clock;
  lifecycle::Readiness readiness(clock, {});
  const metrics::Families families;
  metrics::Registry registry(families);
  Routes routes;
  AddOpsRoutes(&routes, clock, readiness, registry, {{"version", "1.2"}});

  const Response health = routes.Dispatch(Get("/health"));
  EXPECT_EQ(health.content_type, "application/json");
  EXPECT_EQ(health.body,
            R"({"status":"ok","version":"1.2","timestamp":"2026-01-01T00:00:00.000Z"})");

  readiness.Expect("kafka", "disconnected");
  EXPECT_EQ(routes.Dispatch(Get("/ready")).status, 503);
  readiness.Set("kafka", "connected", lifecycle::Readiness::Level::kOk);
  const Response ready = routes.Dispatch(Get("/ready"));
  EXPECT_EQ(ready.status, 200);
  EXPECT_THAT(ready.body, HasSubstr(R"("kafka":"connected")"));

  const Response metrics = routes.Dispatch(Get("/metrics"));
  EXPECT_EQ(metrics.content_type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(metrics.body, HasSubstr("# TYPE spillway_metrics_rejected_total counter"));
}

}  // namespace
}  // namespace spillway::http
