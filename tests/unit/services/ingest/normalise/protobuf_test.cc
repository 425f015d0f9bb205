#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/wrappers.pb.h>

#include "services/ingest/normalise/protobuf_decoder.h"
#include "spillway/v1/event.pb.h"
#include "tests/unit/services/ingest/normalise/route_fixture.h"

namespace spillway::ingest {
namespace {

using std::string_literals::operator""s;

// The schema of the records is that of Spillway's own events: a message that the tests have anyway.
class ProtobufTest : public RouteFixture {
 protected:
  ProtobufTest() {
    google::protobuf::FileDescriptorSet set;
    v1::Event::descriptor()->file()->CopyTo(set.add_file());
    environment_.files["/set"] = set.SerializeAsString();
    environment_.files["/junk"] = "\xff\xff";
    event_.set_type("tick");
    event_.set_offset(int64_t{1} << 60);
    event_.add_channels("a");
  }
  static std::string Routes(const std::string& decode) {
    return "- {name: p, topics: [t], decode: {format: protobuf, " + decode +
           "}, emit: [{channels: ['p:{/type}'], payload: {pick: {o: /offset, c: /channels, z: "
           "/slot}}}]}";
  }
  v1::Event event_;
};

TEST_F(ProtobufTest, FieldsAreJson) {
  Use(Routes("descriptor_set: /set, message: spillway.v1.Event"), "t");
  EXPECT_EQ(Run(event_.SerializeAsString(), "k"),
            R"(p:tick event k {"c":["a"],"o":"1152921504606846976","z":0})");
  EXPECT_EQ(Run("\xff\xff"), "rejected undecodable_protobuf");
  EXPECT_EQ(Run(event_.SerializeAsString().substr(0, 3)), "rejected undecodable_protobuf");
  EXPECT_EQ(Run(""), "rejected missing_field:/type") << "an empty message is a message";
}

TEST_F(ProtobufTest, ConfluentFraming) {
  Use(Routes("framing: confluent, descriptor_set: /set, message: spillway.v1.Event"), "t");
  EXPECT_EQ(Run("\0\0\0\0\1\0"s + event_.SerializeAsString(), "k").substr(0, 6), "p:tick");
  EXPECT_EQ(Run("\0\0\0\0\1"s), "rejected bad_framing");
}

TEST_F(ProtobufTest, Errors) {
  const auto error = [&](const std::string& decode) {
    return std::string(Compile(Routes(decode)).status().message());
  };
  EXPECT_EQ(error("descriptor_set: /none, message: x"),
            "f.yaml:3: ingest.routes[0].decode.descriptor_set: cannot read /none: No such file or "
            "directory");
  EXPECT_EQ(error("descriptor_set: /junk, message: x"),
            "f.yaml:3: ingest.routes[0].decode: /junk: not a descriptor set (protoc "
            "--include_imports --descriptor_set_out)");
  EXPECT_EQ(error("descriptor_set: /set, message: x.Y"),
            "f.yaml:3: ingest.routes[0].decode: /set: the descriptor set has no message x.Y");
}

}  // namespace
}  // namespace spillway::ingest
