#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/load/position_table.h"

namespace spillway::load {

// A client protocol, as much of it as a load generator needs. A new one is a class of this kind and
// a line in MakeDialect. Has no state of a connection; any thread.
//
// Events of the tool's own publishers are recognised by their stamp before the dialect is asked, so
// the dialect is not on the path of an event.
class Dialect {
 public:
  enum class Kind : uint8_t {
    kOther,       // nothing that matters here
    kConnected,   // the server has accepted the client
    kSubscribed,  // one subscription holds
    kGap,         // events that will not come were told
    kPosition,    // another message that may tell a position
    kPing,        // to be answered with pong()
    kError,
  };

  virtual ~Dialect() = default;

  // What every event starts with; a message that does not is classified even if it has a stamp.
  virtual std::string_view event_prefix() const { return {}; }
  // Whether a frame may hold several messages, separated by '\n'.
  virtual bool lines() const { return false; }
  // Messages to send once the handshake is over.
  virtual std::vector<std::string> Hello(const std::vector<std::string>& channels) const = 0;
  // Whether positions are told, and may be shown to go on there. Then Hello takes the table of a
  // client that comes back.
  virtual bool resumes() const { return false; }
  virtual std::vector<std::string> Hello(const std::vector<std::string>& channels,
                                         const PositionTable& /*positions*/) const {
    return Hello(channels);
  }
  // How many of kSubscribed make a client ready; without any, and with `greets()`, kConnected does.
  virtual size_t answers(size_t channels) const { return channels; }
  virtual bool greets() const { return false; }
  virtual Kind Classify(std::string_view message) const = 0;
  virtual std::string_view pong() const { return {}; }
  // The message by which a client publishes a JSON payload; empty: clients cannot. `id` comes back
  // with the answer, where there is one.
  virtual std::string Publish(std::string_view channel, std::string_view payload,
                              uint64_t id) const;
  virtual bool answers_publications() const { return false; }
  struct PublishAnswer {
    uint64_t id = 0;
    bool published = false;
  };
  // Nothing: it is another message.
  virtual std::optional<PublishAnswer> ReadPublishAnswer(std::string_view /*message*/) const {
    return std::nullopt;
  }
};

// InvalidArgument lists the names there are.
absl::StatusOr<std::unique_ptr<Dialect>> MakeDialect(std::string_view name);
// Their names and what they are, for --help.
std::string DialectNames();

}  // namespace spillway::load
