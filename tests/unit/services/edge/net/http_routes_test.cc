#include "services/edge/net/http_routes.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "services/edge/net/http_target.h"

namespace spillway::edge::net {
namespace {

http::Request MakeRequest(std::string method, std::string path) {
  http::Request request;
  request.method = std::move(method);
  request.path = std::move(path);
  return request;
}

TEST(HttpRoutesTest, ServesByMethodAndPath) {
  HttpRoutes routes;
  routes.Add("GET", "/a", [](const http::Request&) {
    http::Response response;
    response.body = "got";
    return response;
  });
  routes.Add("POST", "/a", [](const http::Request& request) {
    http::Response response;
    response.body = request.body;
    return response;
  });
  EXPECT_EQ(routes.Serve(MakeRequest("GET", "/a")).body, "got");
  EXPECT_EQ(routes.Serve(MakeRequest("HEAD", "/a")).status, 200);
  EXPECT_EQ(routes.Serve(MakeRequest("POST", "/a")).status, 200);
  const http::Response missing = routes.Serve(MakeRequest("GET", "/a/"));
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(missing.body,
            R"({"error":{"code":"not_found","message":"there is nothing at this path"}})");
  const http::Response wrong = routes.Serve(MakeRequest("DELETE", "/a"));
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.headers[0], (std::pair<std::string, std::string>("Allow", "GET, POST")));
}

TEST(HttpTargetTest, DecodesPathAndQuery) {
  http::Request request;
  ASSERT_TRUE(ParseTarget("/a%20b+c?x=1&y=%c3%A4+z&flag&&x=2#part", &request));
  EXPECT_EQ(request.path, "/a b+c");
  EXPECT_EQ(request.Query("x"), "1");
  EXPECT_EQ(request.Query("y"), "\xC3\xA4 z");
  EXPECT_EQ(request.query.size(), 4u);
  EXPECT_EQ(request.Query("flag"), "");
}

TEST(HttpTargetTest, RefusesAnythingElse) {
  for (const char* target : {"", "*", "http://host/x", "x", "/%", "/%4", "/%zz", "/?a=%g0"}) {
    http::Request request;
    EXPECT_FALSE(ParseTarget(target, &request)) << target;
  }
}

}  // namespace
}  // namespace spillway::edge::net
