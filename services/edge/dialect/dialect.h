#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "services/edge/dialect/event_encoder.h"
#include "services/edge/dialect/frequency.h"

namespace spillway::edge {

// Where a client was in one partition that feeds a channel, as it says.
struct ClaimedPosition {
  size_t channel = 0;       // index in Command::channels
  std::string_view source;  // "topic/partition@incarnation"
  bool pending = false;     // it was nowhere yet
  int64_t offset = -1;      // everything up to here it has
  // Of the record at `fingerprint_at`; 0: unknown.
  uint16_t fingerprint = 0;
  int64_t fingerprint_at = -1;
};

// Everything of a channel up to here a client says to have.
struct Acknowledgement {
  std::string_view channel;
  SlotNumber slot = kNoSlot;
  int64_t offset = -1;
};

// What a client asks for. Strings live as long as the next call of Dialect::Parse on this thread.
struct Command {
  enum class Type : uint8_t {
    kConnect,
    kSubscribe,
    kUpdate,
    kUnsubscribe,
    kAck,
    kPublish,
    kRefresh,
    kPing,
    kPong
  };

  Type type = Type::kPong;
  std::optional<int64_t> id = {};  // the client's, repeated in the answers
  std::vector<std::string_view> channels;
  std::optional<bool> snapshot;        // unset: the channel's setting
  std::optional<Frequency> frequency;  // unset: the channel's setting; always set in kUpdate
  // Where it was, of channels that are to go on from there: those whose index is in `resumed`. The
  // entries of one channel stand together; it may have none, when no partition fed it. A source
  // that is named twice counts the first time.
  std::vector<size_t> resumed;
  std::vector<ClaimedPosition> positions;
  std::vector<Acknowledgement> acknowledged;  // of kAck; its `channels` are those that are named
  std::string_view token;                     // of kRefresh and, unless empty, of kConnect
  // Of kPublish; its `channels` is the one that it is for.
  std::string_view data = {};             // a JSON value, as the client wrote it
  std::string_view key = {};              // within the channel; empty: none
  std::string_view idempotency_key = {};  // empty: none

  void Clear();
};

// Why a message or a command is refused. The codes are part of the client protocol
// (docs/protocol-json.md): they never change.
struct ErrorInfo {
  std::optional<int64_t> id = {};
  std::string_view code = {};
  std::string_view message = {};
  std::string_view channel = {};  // empty: about no channel
};

struct ParseFailure {
  std::string_view code = {};
  std::string message;
  std::optional<int64_t> id = {};
};

struct ConnectedInfo {
  std::string_view connection_id = {};
  std::string_view user_id = {};  // empty: anonymous
  std::string_view node = {};
  int64_t heartbeat_ms = 0;  // 0: none
  int64_t now_ms = 0;
  std::optional<int64_t> expires_ms = {};  // Unix; of the token
};

struct SubscribedInfo {
  std::optional<int64_t> id = {};
  std::string_view channel = {};
  bool snapshot = false;
  Frequency frequency = Frequency::kHigh;
  const std::vector<PositionEntry>* position = nullptr;  // null: comes with the snapshot
};

struct PublishedInfo {
  std::optional<int64_t> id = {};
  std::string_view channel = {};
  bool durable = false;
  bool duplicate = false;
  std::string_view topic = {};  // where it is; empty: not told
  int32_t partition = 0;
  int64_t offset = 0;
};

struct SnapshotInfo {
  std::string_view channel = {};
  const std::vector<Ref<EdgeEvent>>* events = nullptr;
  bool last = false;
  // With `last` only.
  const std::vector<PositionEntry>* position = nullptr;
  bool complete = false;
  int64_t since_us = 0;
};

// A client protocol in one shape: translates both ways and holds no state of any connection.
// Immutable: callable from any thread. A null Ref stands for a message that this variant does not
// have.
class Dialect : public EventEncoder {
 public:
  virtual std::string_view name() const = 0;
  // False: subscriptions need no snapshot, it would not be sent.
  virtual bool has_snapshots() const = 0;

  virtual Ref<Frame> EncodeConnected(const ConnectedInfo& info) const = 0;
  virtual Ref<Frame> EncodeSubscribed(const SubscribedInfo& info) const = 0;
  virtual Ref<Frame> EncodeUpdated(std::optional<int64_t> id, std::string_view channel,
                                   Frequency frequency) const = 0;
  virtual Ref<Frame> EncodeUnsubscribed(std::optional<int64_t> id,
                                        std::string_view channel) const = 0;
  // Appends one frame or several.
  virtual void EncodeSnapshot(const SnapshotInfo& info, std::vector<Ref<Frame>>* out) const = 0;
  // What the client published is where it belongs.
  virtual Ref<Frame> EncodePublished(const PublishedInfo& info) const = 0;
  virtual Ref<Frame> EncodeError(const ErrorInfo& error) const = 0;
  // When the token expires, which was taken in another's place; unset: never.
  virtual Ref<Frame> EncodeRefreshed(std::optional<int64_t> id,
                                     std::optional<int64_t> expires_ms) const = 0;
  // The token expires soon.
  virtual Ref<Frame> EncodeExpiring(int64_t expires_ms) const = 0;
  // The connection will be closed within that time: to go on at `address`, or anywhere if that is
  // empty.
  virtual Ref<Frame> EncodeMoving(int64_t within_ms, std::string_view address) const = 0;
  // It will not, after all.
  virtual Ref<Frame> EncodeStaying() const = 0;
  // The connection is about to be closed: not to be made again before `after_ms`; unset: not at
  // all.
  virtual Ref<Frame> EncodeClosing(std::optional<int64_t> after_ms) const = 0;
  // The client belongs on that node; `address` may be empty.
  virtual Ref<Frame> EncodeRedirect(std::string_view node, std::string_view address) const = 0;
  virtual Ref<Frame> EncodePing(int64_t now_ms) const = 0;
  virtual Ref<Frame> EncodePong(std::optional<int64_t> id, int64_t now_ms) const = 0;

  // Reads one message of a client. False: `failure` says what is wrong with it.
  virtual bool Parse(std::string_view message, bool text, Command* command,
                     ParseFailure* failure) const = 0;
};

}  // namespace spillway::edge
