#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "services/edge/dialect/event_encoder.h"
#include "services/edge/dialect/frequency.h"
#include "services/edge/frame/channel_traits.h"

namespace spillway::edge {

struct ChannelState;

// In which of its channel's lists a subscription is: that of the joining, of those who get every
// event at once, or of a lane.
enum class Place : uint8_t { kJoining, kHigh, kNormal, kLow, kBackground };

// Where a subscriber's subscription is kept.
struct Membership {
  ChannelState* channel = nullptr;
  Place place = Place::kJoining;
  uint32_t index = 0;  // in the list of that place
};

// A piece of a snapshot on its way to one subscriber.
struct SnapshotPiece {
  std::string_view channel;
  std::vector<Ref<EdgeEvent>> events;
  bool last = false;                    // of this snapshot; the fields below are set only then
  std::vector<PositionEntry> position;  // as of
  bool complete = false;
  int64_t since_us = 0;  // not complete: holds keys that changed since then
};

// A connection as the hub sees it: implemented by the session. Belongs to one worker, whose hub
// shard alone calls it. None of these calls back into the hub (TraitsOf() aside), nor ends the
// subscriber before the turn is over.
class Subscriber {
 public:
  virtual ~Subscriber() = default;

  virtual VariantId variant() const = 0;
  // For one channel: another than the connection's own where that is not to be compressed.
  virtual VariantId VariantFor(std::string_view channel) const {
    static_cast<void>(channel);
    return variant();
  }
  // A finished frame for this connection, of the channel with these traits; null: of none. Both
  // must live until the end of the worker's turn (see Transport::Send): whoever sends a frame calls
  // Keep on one of its receivers first, once for the frame.
  virtual void SendFrame(const Frame& frame, const ChannelTraits* traits) = 0;
  // Holds the frame until the end of the worker's turn. A subscriber that copies what it is sent
  // need not.
  virtual void Keep(Ref<Frame> /*frame*/) {}
  // False while the connection's backlog is above its low watermark: cursors wait for
  // HubShard::OnWritable. Live events are sent regardless.
  virtual bool CanPull() const = 0;

  // The subscription holds from here on. With `snapshot`, OnSnapshot follows and brings the
  // position. It has `frequency` once it has caught up.
  virtual void OnSubscribed(std::string_view channel, const std::vector<PositionEntry>& position,
                            bool snapshot, Frequency frequency) = 0;
  virtual void OnSnapshot(const SnapshotPiece& piece) = 0;
  // The snapshot could not be had (stable code: snapshot_unavailable); the subscription goes on
  // live from `position`.
  virtual void OnSnapshotFailed(std::string_view channel,
                                const std::vector<PositionEntry>& position) = 0;

 private:
  friend class HubShard;
  // Its subscriptions, the hub's affair: here they need no table, and one needs no memory of its
  // own.
  absl::InlinedVector<Membership, 1> memberships_;
};

}  // namespace spillway::edge
