#pragma once

#include <gtest/gtest.h>
#include <simdjson.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/integration/ws/beast_client.h"

namespace spillway {

// What a client saw: the numbers of the events, by slot in the order of arrival, and everything
// that was wrong.
struct Seen {
  std::map<int64_t, std::vector<int64_t>> offsets;
  std::set<int64_t> numbers;
  std::set<std::string> names;  // of live events: "CHANNEL by PATTERN"
  std::vector<std::string> wrong;
  int gaps = 0;
};

class Client {
 public:
  Client(uint16_t port, const std::string& channel, bool snapshot) {
    test::BeastClient::Options options;
    options.path = "/ws";
    EXPECT_TRUE(client_.Connect(port, options)) << client_.body();
    client_.Send(absl::StrCat(R"({"type":"subscribe","id":1,"channels":[")", channel,
                              R"("],"snapshot":)", snapshot ? "true" : "false", "}"));
    // What is published from here on must arrive.
    simdjson::dom::parser parser;
    for (;;) {
      const test::ClientResult message = client_.Receive();
      if (!message.ok) {
        ADD_FAILURE() << "closed before subscribed: " << message.close_reason;
        return;
      }
      if (parser.parse(message.payload)["type"].get_string().value() == "subscribed") return;
    }
  }

  // Receives until it has `count` different events, or the connection ends.
  void ReceiveUntil(size_t count) {
    simdjson::dom::parser parser;
    while (seen_.numbers.size() < count) {
      const test::ClientResult message = client_.Receive();
      if (!message.ok) {
        seen_.wrong.push_back("the connection ended: " + message.close_reason);
        return;
      }
      const simdjson::dom::element root = parser.parse(message.payload);
      const std::string_view type = root["type"].get_string().value();
      if (type == "gap") ++seen_.gaps;
      if (type == "error") seen_.wrong.push_back(message.payload);
      if (type == "snapshot") {
        for (const simdjson::dom::element event : root["events"].get_array()) {
          seen_.numbers.insert(event["data"]["n"].get_int64());
        }
      }
      if (type != "event") continue;
      std::string_view pattern = "itself";
      if (std::string_view by; root["pattern"].get(by) == simdjson::SUCCESS) pattern = by;
      seen_.names.insert(absl::StrCat(std::string(root["channel"].get_string().value()), " by ",
                                      std::string(pattern)));
      if (!root["slot"].is_int64()) {  // it never was in Kafka
        seen_.numbers.insert(root["data"]["n"].get_int64());
        continue;
      }
      auto& offsets = seen_.offsets[root["slot"].get_int64()];
      const int64_t offset = root["offset"].get_int64();
      if (!offsets.empty() && offset <= offsets.back()) {
        seen_.wrong.push_back(absl::StrCat("offset ", offset, " after ", offsets.back()));
      }
      offsets.push_back(offset);
      if (!seen_.numbers.insert(root["data"]["n"].get_int64()).second) {
        seen_.wrong.push_back("an event twice");
      }
    }
  }
  const Seen& seen() const { return seen_; }

 private:
  test::BeastClient client_;
  Seen seen_;
};

}  // namespace spillway
