#include "tests/unit/services/ingest/normalise/route_fixture.h"

namespace spillway::ingest {
namespace {

class PayloadTest : public RouteFixture {
 protected:
  // What `payload` makes of a value.
  std::string Shape(const std::string& payload, const std::string& value) {
    Use("- {name: r, topics: [acme.t], emit: [{channels: [c], type: x, key: '', payload: " +
            payload + "}]}",
        "acme.t");
    if (route_ == nullptr) return "";
    const std::string out = Run(value, "k");
    return out.rfind("c x  ", 0) == 0 ? out.substr(5) : out;
  }
  std::string Errors(const std::string& payload) {
    return std::string(
        Compile("- {name: r, topics: [t], emit: [{channels: [c], payload: " + payload + "}]}")
            .status()
            .message());
  }
};

TEST_F(PayloadTest, From) {
  EXPECT_EQ(Shape("{from: /data}", R"({"data":{"a" : 1.10}})"), R"({"a" : 1.10})");
  EXPECT_EQ(Shape("{from: /data/1}", R"({"data":[1,[2]]})"), "[2]");
  EXPECT_EQ(Shape("{from: /data}", R"({"data":null})"), "null");
  EXPECT_EQ(Shape("{from: /data}", "{}"), "rejected missing_field:/data");
}

TEST_F(PayloadTest, Pick) {
  EXPECT_EQ(Shape("{pick: {p: /price, s: /symbol|key, t: topic.1, none: /none, o: /o, n: /n}}",
                  R"({"price":1.10,"o":{"x":[1]},"n":null,"other":1})"),
            R"({"n":null,"o":{"x":[1]},"p":1.10,"s":"k","t":"acme"})");
  EXPECT_EQ(Shape("{from: /data, pick: {a: /a}}", R"({"a":0,"data":{"a":1}})"), R"({"a":1})");
  EXPECT_EQ(Shape("{pick: {a: /a}, add: {a: '2', b: x}}", R"({"a":1})"), R"({"a":2,"b":"x"})");
}

TEST_F(PayloadTest, DropMaskRename) {
  EXPECT_EQ(
      Shape(
          "{drop: [/a, /o/x, /l/0], mask: [/m, /o/y], rename: {/r: s, /o/z: zz}}",
          R"({"a":1,"m":{"deep":1},"r":2,"s":"old","o":{"x":1,"y":2,"z":3,"w":4},"l":[1,2],"k":0})"),
      R"({"m":"***","s":2,"o":{"y":"***","zz":3,"w":4},"l":[2],"k":0})");
  EXPECT_EQ(Shape("{rename: {/r: s}}", R"({"s":1})"), R"({"s":1})") << "only if there is an r";
  EXPECT_EQ(Shape("{rename: {/a: b, /b: a}}", R"({"a":1,"b":2})"), R"({"b":1,"a":2})");
  EXPECT_EQ(Shape("{drop: [/a]}", "[1]"), "[1]") << "nothing to drop in a list";
  EXPECT_EQ(Shape("{drop: [/a]}", R"({"a":1})"), "{}");
}

TEST_F(PayloadTest, Add) {
  EXPECT_EQ(Shape("{add: {b: 'true', n: '12', s: text, q: '\"q\"', t: 'to:{key}', z: '{/none}', "
                  "nul: 'null'}}",
                  R"({"b":0,"x":1})"),
            R"({"x":1,"b":true,"n":12,"nul":null,"q":"q","s":"text","t":"to:k"})");
  EXPECT_EQ(Shape("{add: {a: '1'}}", "[1]"), "rejected payload_not_object");
  EXPECT_EQ(Shape("{add: {a: 'q\"{key}'}}", "{}"), R"({"a":"q\"k"})");
}

TEST_F(PayloadTest, GrownPayloadIsBounded) {
  const std::string filler(1000, 'x');
  Use("- {name: r, topics: [t], emit: [{channels: [c], payload: {add: {a: " + filler + "}}}]}", "t",
      "  limits: {max_event_bytes: 1KiB}\n");
  EXPECT_EQ(Run("{}").substr(0, 1), "c");
  EXPECT_EQ(Run("{\"b\":\"" + std::string(100, 'y') + "\"}"), "rejected oversized");
}

TEST_F(PayloadTest, Errors) {
  const std::string at = "f.yaml:3: ingest.routes[0].emit[0].payload";
  EXPECT_EQ(Errors("{from: data}"), at + ".from: \"data\" is not a JSON pointer such as /data");
  EXPECT_EQ(Errors("{drop: [a]}"),
            at + ".drop[0]: \"a\" is not a JSON pointer to a field, such as /a/b");
  EXPECT_EQ(Errors("{mask: ['']}"),
            at + ".mask[0]: \"\" is not a JSON pointer to a field, such as /a/b");
  EXPECT_EQ(Errors("{pick: {a: /a}, drop: [/b]}"),
            at + ".pick: cannot be used together with drop, mask or rename");
  EXPECT_EQ(Errors("{rename: {/a: c, /b: c}}"),
            at + ".rename: two fields of one object are renamed to \"c\"");
  EXPECT_EQ(Errors("{add: {a: '{x}'}}"),
            at + ".add.a: \"x\" is not key, header.NAME, topic, topic.N, topic.match.N or a JSON "
                 "pointer such as /a/b");
}

}  // namespace
}  // namespace spillway::ingest
