#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "common/base/clock.h"
#include "common/base/string_map.h"
#include "common/channel/channel_pattern.h"
#include "services/edge/hub/edge_batch.h"
#include "services/edge/hub/slot_table.h"
#include "services/edge/upstream/link_core_sink.h"

namespace spillway::edge {

// LinkCore's private state and the status it reports: plain data, link thread only.

struct LinkState {
  LinkId id = 0;
  bool greeted = false;  // Hello was received: the link can be used
  std::string node_id;
  std::string route_hash;
  int64_t route_time_us = 0;
  MonoTime up_since;
  MonoTime last_beat;
  bool kafka_up = false;
  std::string kafka_error;
  bool has_catalogue = false;
  absl::flat_hash_map<uint32_t, SlotNumber> slots;            // this ingest's numbers -> ours
  absl::flat_hash_map<SlotNumber, uint32_t> numbers;          // and back
  std::vector<std::pair<std::string, std::string>> problems;  // topic -> what is wrong with it
  uint64_t interest_sequence = 0;
  std::string parts;        // of a batch that comes in parts
  int64_t owed_credit = 0;  // released, not granted yet
  uint64_t next_ephemeral = 1;
  uint64_t whole_interest = 0;     // the last message of what it was told at first
  bool interest_in_force = false;  // all of it, there
  StringMap<uint64_t> snapshots;   // the call under way that reads the channel's
  StringMap<uint64_t> histories;   // likewise; the latest of several
};

struct ChannelInterest;

struct SlotState {
  std::shared_ptr<const SlotEntry> entry;
  std::string told_as;  // "topic/partition@incarnation" as in catalogues, which know of no reset
  SlotNumber number() const { return entry->number; }

  enum class Phase { kUnattached, kAttaching, kAttached };
  Phase phase = Phase::kUnattached;
  LinkId link = 0;
  uint64_t attach_id = 0;
  MonoTime since;             // of the phase
  MonoTime unattached_since;  // until it is attached, however many attaches fail meanwhile
  bool has_position = false;  // `taken` is valid
  int64_t taken = -1;         // W: everything up to here was taken in
  // Of a record at or before W, or of one that was read for clients before anything was taken in;
  // 0: unknown.
  uint16_t fingerprint = 0;
  int64_t fingerprint_at = -1;
  bool from_begin = false;  // without a position: at the log's beginning, else at its end
  absl::flat_hash_map<LinkId, MonoTime> avoid_until;
  // Ingests, by node id, that told of it and have not told a catalogue without it since.
  StringSet told_by;
  v1::ReaderState reader = v1::READER_STATE_UNSPECIFIED;
  MonoTime stalled_since;
  std::string stall_reason;
  // Since when no reader of it has come on, wherever it was attached meanwhile.
  std::optional<MonoTime> unread_since;
  uint32_t stall_moves = 0;  // since a reader of it last came on for long
  int64_t lag = -1;
  LinkId moving_to = 0;  // a planned move: Prepare was sent
  MonoTime move_since;
  std::vector<ChannelInterest*> awaiting;  // channels whose coverage of this slot is not known
};

// There may be one for every connection: what most channels have one of takes no memory of its own.
struct ChannelInterest {
  struct Coverage {
    SlotNumber slot = kNoSlot;
    bool known = false;
    int64_t after = -1;
  };
  struct Wanting {
    size_t worker;
    uint64_t interest;  // its number of it
  };
  using Unused = std::list<ChannelInterest*>;

  uint64_t record = 0;  // a pattern's: the last that it was given an event of (LinkCore::record_)
  std::string name;
  std::unique_ptr<const ChannelPattern> pattern;  // `name`, if it is one
  uint64_t hash = 0;                              // then: ChannelHash(name)
  absl::InlinedVector<Wanting, 1> workers;        // that have subscribers
  absl::InlinedVector<Coverage, 1> coverage;
  absl::InlinedVector<std::pair<LinkId, uint64_t>, 1> sequences;  // when each link was told
  MonoTime unused_since;
  Unused::iterator unused;  // its place in LinkCore::unused_, or among the patterns there
  bool is_unused = false;
  bool expired = false;  // while those that are forgotten are taken out of all lists

  // Whether the slot can feed it.
  bool FedBy(const SlotEntry& slot) const {
    bool snapshot = false;
    return pattern == nullptr ? slot.Feeds(name, &snapshot) : slot.FeedsAny(*pattern, &snapshot);
  }
  uint64_t SequenceOn(LinkId link) const {
    for (const auto& [id, sequence] : sequences) {
      if (id == link) return sequence;
    }
    return UINT64_MAX;
  }
};

// A read that waits for its slots to be attached.
struct PendingRead {
  size_t worker = 0;
  uint64_t read_id = 0;
  std::string channel;
  bool history = false;
  std::vector<std::pair<SlotNumber, int64_t>> from;
  std::vector<SlotClaim> claims = {};  // to be judged, by slot: of `from`, and perhaps of others
  MonoTime begun;
  MonoTime not_before;
  bool alone = false;  // another's answer did not serve it
};

// A Read call to one ingest.
struct PendingCall {
  // A slot of read.from as it was when it was asked about.
  struct Asked {
    static constexpr uint64_t kAnyAttachment = 0;  // no attach id
    uint32_t theirs = 0;                           // the ingest's number of it
    SlotNumber ours = 0;
    uint64_t attachment = 0;  // whose answer it has to be
  };

  // Null: not asked about.
  const Asked* Find(uint32_t theirs) const {
    for (const Asked& one : asked) {
      if (one.theirs == theirs) return &one;
    }
    return nullptr;
  }

  LinkId link = 0;
  PendingRead read;
  std::vector<Asked> asked;
  std::vector<PendingRead>
      sharing;  // of the same channel and slots: given the answer if it is new enough
  EdgeReadResult result;
};

struct LinkCounters {
  uint64_t batches = 0;
  uint64_t batch_bytes = 0;
  uint64_t events = 0;          // taken in
  uint64_t void_events = 0;     // of attachments that were not current any more
  uint64_t records_behind = 0;  // at or below W: dropped
  uint64_t attaches = 0;
  uint64_t failovers = 0;
  uint64_t moves = 0;
  uint64_t resets = 0;  // partitions whose topic was made anew
  uint64_t gaps = 0;
  uint64_t ephemeral = 0;
  uint64_t ephemeral_gaps = 0;
  uint64_t malformed = 0;
  uint64_t reads_shared = 0;  // reads that another one's call answers
};

// What readiness, metrics and the admin API show. A copy: any thread may read it.
struct UpstreamStatus {
  struct Link {
    std::string node_id;
    bool greeted = false;
    bool kafka_up = false;
    std::string kafka_error;
    bool interest_in_force = false;  // its ephemeral events come
  };
  struct Slot {
    std::string topic;
    int32_t partition = 0;
    std::string ingest;  // node id; empty if unattached
    bool attached = false;
    int64_t unattached_ms = 0;  // since it was last attached, or appeared
    bool served = true;         // some linked ingest knows it
    bool stalled = false;
    std::string reason;     // stalled: why, a code of docs/errors.md
    int64_t unread_ms = 0;  // since a reader of it last came on; 0 if it does
    int64_t taken = -1;
    int64_t lag = -1;
  };
  std::vector<Link> links;
  std::vector<Slot> slots;
  std::vector<std::pair<std::string, std::string>> problems;  // topic -> what is wrong
  bool catalogue_complete = false;
  bool kafka_up = false;  // some linked ingest reaches Kafka
  size_t interests = 0;
  size_t patterns = 0;              // of them
  uint64_t patterns_forgotten = 0;  // see PatternMap
  size_t reads_under_way = 0;       // calls
  size_t reads_waiting = 0;         // reads without a call
  LinkCounters counters;
};

}  // namespace spillway::edge
