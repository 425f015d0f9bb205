#include "services/edge/dialect/json_commands.h"

#include <simdjson.h>

#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "common/base/strings.h"
#include "services/edge/dialect/json_publish.h"

namespace spillway::edge {
namespace {

using simdjson::dom::element;

constexpr size_t kMaxDepth = 32;                    // what is published has most of them
constexpr int64_t kMaxId = (int64_t{1} << 53) - 1;  // the largest integer of JavaScript
constexpr size_t kParserBytes = 4096;
constexpr size_t kKeptParserBytes = 256 * 1024;  // larger buffers are given back

// A parser keeps its buffers; one for each thread, made at its first message.
class ThreadParser {
 public:
  simdjson::simdjson_result<element> Parse(std::string_view message) {
    if (parser_.has_value() && parser_->capacity() > kKeptParserBytes) parser_.reset();
    if (!parser_.has_value()) {
      parser_.emplace();
      const simdjson::error_code error = parser_->allocate(kParserBytes, kMaxDepth);
      if (error != simdjson::SUCCESS) return error;
    }
    return parser_->parse(message.data(), message.size());
  }

 private:
  std::optional<simdjson::dom::parser> parser_;
};

class Reader {
 public:
  Reader(std::string_view message, const JsonCommandLimits& limits, Command* command,
         ParseFailure* failure)
      : message_(message), limits_(limits), command_(*command), failure_(*failure) {}

  bool Read(element root) {
    simdjson::dom::object object;
    if (root.get_object().get(object) != simdjson::SUCCESS) {
      return Fail("bad_message", "a message is a JSON object such as {\"type\":\"ping\"}");
    }
    // The id first, so that every error about the rest can carry it.
    for (const auto& [key, value] : object) {
      if (key == "id" && !ReadId(value)) return false;
    }
    return ReadType(object) && ReadMembers(object) && CheckComplete();
  }

  bool Fail(std::string_view code, std::string message) {
    failure_.code = code;
    failure_.message = std::move(message);
    failure_.id = command_.id;
    return false;
  }

 private:
  // Whether it is about channels.
  bool subscription() const {
    return command_.type == Command::Type::kSubscribe || command_.type == Command::Type::kUpdate ||
           command_.type == Command::Type::kUnsubscribe;
  }

  bool ReadId(element value) {
    if (command_.id.has_value()) return Fail("bad_message", "'id' is given twice");
    int64_t id = 0;
    if (value.get_int64().get(id) != simdjson::SUCCESS || id < 0 || id > kMaxId) {
      return Fail("bad_message", "'id' must be a whole number from 0 to 9007199254740991");
    }
    command_.id = id;
    return true;
  }

  bool ReadType(simdjson::dom::object object) {
    bool found = false;
    for (const auto& [key, value] : object) {
      if (key != "type") continue;
      if (found) return Fail("bad_message", "'type' is given twice");
      found = true;
      std::string_view type;
      if (value.get_string().get(type) != simdjson::SUCCESS) {
        return Fail("bad_message", "'type' must be a string");
      }
      if (type == "subscribe") {
        command_.type = Command::Type::kSubscribe;
      } else if (type == "update") {
        command_.type = Command::Type::kUpdate;
      } else if (type == "unsubscribe") {
        command_.type = Command::Type::kUnsubscribe;
      } else if (type == "ack") {
        command_.type = Command::Type::kAck;
      } else if (type == "publish") {
        command_.type = Command::Type::kPublish;
      } else if (type == "connect") {
        command_.type = Command::Type::kConnect;
      } else if (type == "refresh") {
        command_.type = Command::Type::kRefresh;
      } else if (type == "ping") {
        command_.type = Command::Type::kPing;
      } else if (type == "pong") {
        command_.type = Command::Type::kPong;
      } else {
        return Fail(
            "unknown_type",
            absl::StrCat(
                "unknown type ", Echo(type),
                "; known are connect, subscribe, update, unsubscribe, publish, ack, refresh, ping, "
                "pong"));
      }
    }
    return found || Fail("missing_field", "'type' is missing");
  }

  bool ReadMembers(simdjson::dom::object object) {
    if (command_.type == Command::Type::kAck) return ReadAck(object);
    if (command_.type == Command::Type::kPublish) {
      const std::optional<JsonProblem> problem = ReadJsonPublish(object, message_, &command_);
      return !problem.has_value() || Fail(problem->code, problem->text);
    }
    if (command_.type == Command::Type::kRefresh || command_.type == Command::Type::kConnect) {
      return ReadToken(object);
    }
    if (!subscription()) return true;
    bool channels = false;
    std::optional<element> positions;
    for (const auto& [key, value] : object) {
      if (key == "type" || key == "id") continue;
      if (key == "channels") {
        if (channels) return Fail("bad_message", "'channels' is given twice");
        channels = true;
        if (!ReadChannels(value)) return false;
      } else if (key == "snapshot" && command_.type == Command::Type::kSubscribe) {
        if (command_.snapshot.has_value()) return Fail("bad_message", "'snapshot' is given twice");
        bool snapshot = false;
        if (value.get_bool().get(snapshot) != simdjson::SUCCESS) {
          return Fail("bad_message", "'snapshot' must be true or false");
        }
        command_.snapshot = snapshot;
      } else if (key == "positions" && command_.type == Command::Type::kSubscribe) {
        if (positions.has_value()) return Fail("bad_message", "'positions' is given twice");
        positions = value;
      } else if (key == "frequency" && command_.type != Command::Type::kUnsubscribe) {
        if (!ReadFrequency(value)) return false;
      } else {
        return Fail("unknown_key", absl::StrCat("unknown member ", Echo(key)));
      }
    }
    return !positions.has_value() || ReadPositions(*positions);
  }

  bool ReadPositions(element value) {
    simdjson::dom::object channels;
    if (value.get_object().get(channels) != simdjson::SUCCESS) {
      return Fail("bad_position", "'positions' must be an object: from channel to its position");
    }
    absl::flat_hash_map<std::string_view, size_t> indexes;  // of those not yet seen
    for (size_t i = 0; i < command_.channels.size(); ++i) indexes.emplace(command_.channels[i], i);
    for (const auto& [channel, entries] : channels) {
      const auto named = indexes.find(channel);
      if (named == indexes.end()) {
        return Fail("bad_position", absl::StrCat("'positions' has ", Echo(channel),
                                                 " twice, or 'channels' has not"));
      }
      const size_t index = named->second;
      indexes.erase(named);
      simdjson::dom::array list;
      if (entries.get_array().get(list) != simdjson::SUCCESS) {
        return Fail("bad_position", "a position is a list of entries, as in 'subscribed'");
      }
      command_.resumed.push_back(index);
      for (element entry : list) {
        if (!ReadPosition(index, entry)) return false;
      }
    }
    return true;
  }

  bool ReadToken(simdjson::dom::object object) {
    for (const auto& [key, value] : object) {
      if (key == "type" || key == "id") continue;
      if (key != "token") return Fail("unknown_key", absl::StrCat("unknown member ", Echo(key)));
      if (!command_.token.empty()) return Fail("bad_message", "'token' is given twice");
      if (value.get_string().get(command_.token) != simdjson::SUCCESS || command_.token.empty()) {
        return Fail("bad_message", "'token' must be a text, and not empty");
      }
    }
    return !command_.token.empty() || command_.type == Command::Type::kConnect ||
           Fail("missing_field", "'token' is missing");
  }

  bool ReadAck(simdjson::dom::object object) {
    bool found = false;
    for (const auto& [key, value] : object) {
      if (key == "type" || key == "id") continue;
      if (key != "positions") {
        return Fail("unknown_key", absl::StrCat("unknown member ", Echo(key)));
      }
      if (found) return Fail("bad_message", "'positions' is given twice");
      found = true;
      simdjson::dom::object channels;
      if (value.get_object().get(channels) != simdjson::SUCCESS) {
        return Fail("bad_position", "'positions' must be an object: from channel to its position");
      }
      for (const auto& [channel, entries] : channels) {
        if (command_.channels.size() == limits_.max_channels) {
          return Fail("too_many_channels", absl::StrCat("more than ", limits_.max_channels,
                                                        " channels in one message: send several"));
        }
        command_.channels.push_back(channel);
        simdjson::dom::array list;
        if (entries.get_array().get(list) != simdjson::SUCCESS) {
          return Fail("bad_position", "a position is a list of entries, as in 'subscribed'");
        }
        for (element entry : list) {
          if (!ReadAcknowledgement(channel, entry)) return false;
        }
      }
    }
    return found || Fail("missing_field", "'positions' is missing");
  }

  // `slot` and `offset` of an entry count; the rest of a table's entry may be there.
  bool ReadAcknowledgement(std::string_view channel, element value) {
    simdjson::dom::object members;
    uint64_t slot = kNoSlot;
    int64_t offset = -1;
    if (value.get_object().get(members) != simdjson::SUCCESS) return FailAcknowledgement();
    bool well = true;
    bool pending = false;
    for (const auto& [key, member] : members) {
      if (key == "slot") {
        well = well && member.get_uint64().get(slot) == simdjson::SUCCESS && slot < kNoSlot;
      } else if (key == "offset") {
        well = well && ReadOffset(member, &offset);
      } else if (key == "pending") {
        pending = true;
      } else if (key != "source" && key != "fp" && key != "fp_offset") {
        return Fail("unknown_key", absl::StrCat("unknown member ", Echo(key)));
      }
    }
    if (well && pending) return true;
    if (!well || slot == kNoSlot) return FailAcknowledgement();
    command_.acknowledged.push_back(
        {.channel = channel, .slot = static_cast<SlotNumber>(slot), .offset = offset});
    return true;
  }

  bool FailAcknowledgement() {
    return Fail("bad_position", "an entry of an acknowledgement has 'slot' and 'offset'");
  }

  // An entry as the server sent it: `slot` means nothing on another connection and is passed over.
  bool ReadPosition(size_t channel, element value) {
    simdjson::dom::object members;
    if (value.get_object().get(members) != simdjson::SUCCESS) return FailPosition();
    ClaimedPosition& position = command_.positions.emplace_back();
    position.channel = channel;
    bool at = false;
    bool fingerprint_at = false;
    for (const auto& [key, member] : members) {
      if (key == "slot") continue;
      if (key == "source") {
        if (member.get_string().get(position.source) != simdjson::SUCCESS) return FailPosition();
      } else if (key == "pending") {
        if (member.get_bool().get(position.pending) != simdjson::SUCCESS) return FailPosition();
      } else if (key == "offset") {
        if (!ReadOffset(member, &position.offset)) return FailPosition();
        at = true;
      } else if (key == "fp") {
        uint64_t fingerprint = 0;
        if (member.get_uint64().get(fingerprint) != simdjson::SUCCESS || fingerprint > UINT16_MAX) {
          return FailPosition();
        }
        position.fingerprint = static_cast<uint16_t>(fingerprint);
      } else if (key == "fp_offset") {
        if (!ReadOffset(member, &position.fingerprint_at)) return FailPosition();
        fingerprint_at = true;
      } else {
        return Fail("unknown_key", absl::StrCat("unknown member ", Echo(key)));
      }
    }
    if (!fingerprint_at) position.fingerprint_at = position.offset;
    if (position.source.empty() || at == position.pending ||
        position.fingerprint_at > position.offset) {
      return FailPosition();
    }
    return true;
  }

  static bool ReadOffset(element value, int64_t* offset) {
    return value.get_int64().get(*offset) == simdjson::SUCCESS && *offset >= -1 &&
           *offset <= kMaxId;
  }

  bool FailPosition() {
    return Fail(
        "bad_position",
        "an entry of a position has 'source' and either 'offset', with 'fp' and 'fp_offset' "
        "if they are known, or 'pending': true");
  }

  bool ReadFrequency(element value) {
    if (command_.frequency.has_value()) return Fail("bad_message", "'frequency' is given twice");
    std::string_view name;
    if (value.get_string().get(name) != simdjson::SUCCESS) {
      return Fail("bad_message", "'frequency' must be a string");
    }
    command_.frequency = ParseFrequency(name);
    return command_.frequency.has_value() ||
           Fail("bad_frequency", absl::StrCat("unknown frequency ", Echo(name),
                                              "; known are high, normal, low, background"));
  }

  bool ReadChannels(element value) {
    simdjson::dom::array items;
    if (value.get_array().get(items) != simdjson::SUCCESS) {
      return Fail("bad_message", "'channels' must be a list of strings");
    }
    for (element item : items) {
      std::string_view channel;
      if (item.get_string().get(channel) != simdjson::SUCCESS) {
        return Fail("bad_message", "'channels' must be a list of strings");
      }
      if (command_.channels.size() == limits_.max_channels) {
        return Fail("too_many_channels", absl::StrCat("more than ", limits_.max_channels,
                                                      " channels in one message: send several"));
      }
      command_.channels.push_back(channel);
    }
    if (command_.channels.empty()) return Fail("bad_message", "'channels' is empty");
    return true;
  }

  bool CheckComplete() {
    if (!subscription()) return true;
    if (command_.channels.empty()) return Fail("missing_field", "'channels' is missing");
    if (command_.type == Command::Type::kUpdate && !command_.frequency.has_value()) {
      return Fail("missing_field", "'frequency' is missing");
    }
    return true;
  }

  const std::string_view message_;
  const JsonCommandLimits& limits_;
  Command& command_;
  ParseFailure& failure_;
};

}  // namespace

void Command::Clear() {
  type = Type::kPong;
  id.reset();
  channels.clear();
  snapshot.reset();
  frequency.reset();
  resumed.clear();
  positions.clear();
  acknowledged.clear();
  token = data = key = idempotency_key = {};
}

bool ParseJsonCommand(std::string_view message, bool text, const JsonCommandLimits& limits,
                      Command* command, ParseFailure* failure) {
  thread_local ThreadParser thread_parser;
  command->Clear();
  Reader reader(message, limits, command, failure);
  if (!text) return reader.Fail("bad_message", "messages are text, not binary");
  if (message.size() > limits.max_bytes) {
    return reader.Fail("message_too_large",
                       absl::StrCat("a message may have at most ", limits.max_bytes, " bytes"));
  }
  element root;
  const simdjson::error_code error = thread_parser.Parse(message).get(root);
  if (error != simdjson::SUCCESS) {
    return reader.Fail("bad_json", absl::StrCat("not JSON: ", simdjson::error_message(error)));
  }
  return reader.Read(root);
}

}  // namespace spillway::edge
