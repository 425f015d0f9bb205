#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "common/base/clock.h"
#include "common/base/string_map.h"
#include "common/channel/pattern_map.h"
#include "common/wire/event_wire.h"
#include "common/wire/limits.h"
#include "services/edge/dialect/event_encoder.h"
#include "services/edge/upstream/channel_history.h"
#include "services/edge/upstream/kept_histories.h"
#include "services/edge/upstream/link_core_sink.h"
#include "services/edge/upstream/link_state.h"

namespace spillway::edge {

// The link thread's half of the edge's delivery rules (docs/architecture.md, "Attaching, joining,
// resuming"): the merged catalogue, which ingest every partition is taken from, what has been taken
// in (W), the interest, failover and moves. A pure state machine: no gRPC, no threads, no clock of
// its own; everything it does follows from a call to it and leaves through LinkCoreSink.
//
// Owned by the link thread, which alone calls it.
class LinkCore {
 public:
  struct Options {
    std::string node_id;
    std::string version;
    v1::NodeAddresses addresses;
    int64_t credit_bytes = 16 << 20;                // what an ingest may send ahead, for each link
    size_t max_parts_bytes = wire::kMaxBatchBytes;  // of a batch in parts
    std::chrono::milliseconds beat_timeout{3'000};
    std::chrono::milliseconds attach_timeout{3'000};
    std::chrono::milliseconds stall_timeout{2'000};
    std::chrono::milliseconds avoid{
        5'000};  // an ingest that could not serve a slot is left alone so long
    std::chrono::milliseconds move_stability{30'000};
    std::chrono::milliseconds move_timeout{10'000};
    size_t moves_at_once = 4;
    std::chrono::milliseconds interest_linger{60'000};
    // Patterns that linger so, at most: each costs both tiers something for every new channel. With
    // more, the oldest go.
    size_t lingering_patterns = 64;
    size_t interest_bytes = wire::kInterestBytes;  // of channel names, in one message
    // Time between two tellings of new interest: what gathers meanwhile goes together. So much for
    // each channel told, within these bounds: a telling costs both tiers the same, however much is
    // in it, so where few are new they are told fast, where thousands are it costs little.
    std::chrono::microseconds interest_each{500};
    std::chrono::milliseconds least_interest_interval{2};
    std::chrono::milliseconds most_interest_interval{5};
    // How long is asked for a snapshot; for history, and for what positions of clients are.
    std::chrono::milliseconds read_timeout{10'000};
    std::chrono::milliseconds history_timeout{30'000};
    std::chrono::milliseconds read_retry{100};
    size_t reads_at_once = 256;  // calls under way, to all ingests
    KeptHistories::Options kept_histories;
    // How long the first placement waits, from the first catalogue on, for the ingests that have
    // not told theirs.
    std::chrono::milliseconds first_placement_wait{1'000};
    // Ingests are asked by attach ids: those of two edges are to differ, so each begins somewhere
    // else. Small ones are short on the wire.
    uint64_t first_attach_id = 1;
    // How long a slot is kept that only ingests knew whose links are lost.
    std::chrono::milliseconds slot_linger{60'000};
    // Clients are told no more often that ephemeral events were lost.
    std::chrono::milliseconds ephemeral_gap_interval{1'000};
  };

  LinkCore(Options options, VariantTable& variants, LinkCoreSink& sink, uint64_t seed);
  ~LinkCore();

  // ---- from the links

  void OnLinkUp(LinkId id, MonoTime now);  // the stream is open: says hello
  void OnLinkDown(LinkId id, MonoTime now);
  // How many links there are to be, as far as the addresses of ingests are known: whoever has not
  // told its catalogue is waited for before slots are placed for the first time.
  void ExpectLinks(size_t count) { expected_links_ = count; }
  // Whether this node takes clients: told to the cluster, also on links that come up later.
  void SetDraining(bool draining);
  // Any LinkResponse as it came off the wire.
  void OnMessage(LinkId id, std::string_view message, MonoTime now);
  void OnReadResponse(uint64_t number, const v1::ReadResponse& response, MonoTime now);
  void OnReadFailed(uint64_t number, std::string_view error, MonoTime now);

  // ---- from the workers

  // `interest`: the worker's number of it, which the answers carry.
  void AddInterest(size_t worker, std::string_view name, MonoTime now, uint64_t interest = 0);
  void RemoveInterest(size_t worker, std::string_view name, MonoTime now);
  void Read(size_t worker, uint64_t read_id, std::string channel, bool history,
            std::vector<std::pair<SlotNumber, int64_t>> from, MonoTime now);
  void Judge(size_t worker, uint64_t read_id, std::vector<SlotClaim> claims, MonoTime now);
  void OnBatchReleased(LinkId id, size_t bytes);

  // ---- for operators

  // Where in which slots a channel's history is to be read, by Read(); without results.
  HistoryAnswer PlanHistory(const HistoryAsk& ask) const;

  // Timers: call every 50 to 100 ms.
  void Tick(MonoTime now);
  // Call after the calls of every turn: interest that is new in it is told now, or, if some was
  // told a moment ago, at the time returned, to call again by then; max() if nothing waits.
  MonoTime EndTurn(MonoTime now);
  // The earliest time at which new interest is told next.
  MonoTime tell_not_before() const { return tell_not_before_; }

  UpstreamStatus Status(MonoTime now) const;
  const LinkCounters& counters() const { return counters_; }

 private:
  using Links =
      std::map<LinkId, std::unique_ptr<LinkState>>;  // ordered: decisions are reproducible
  // Found by their names, which they hold themselves.
  struct NameHash {
    using is_transparent = void;
    size_t operator()(std::string_view name) const { return StringHash()(name); }
    size_t operator()(const std::unique_ptr<ChannelInterest>& channel) const {
      return StringHash()(channel->name);
    }
  };
  struct NameEqual {
    using is_transparent = void;
    bool operator()(const std::unique_ptr<ChannelInterest>& a, std::string_view name) const {
      return a->name == name;
    }
    bool operator()(const std::unique_ptr<ChannelInterest>& a,
                    const std::unique_ptr<ChannelInterest>& b) const {
      return a->name == b->name;
    }
  };
  using Interests = absl::flat_hash_set<std::unique_ptr<ChannelInterest>, NameHash, NameEqual>;

  LinkState* FindLink(LinkId link);
  void DropLink(LinkState& dropped, MonoTime now);
  void ForgetGone(MonoTime now);

  // link_catalogue.cc
  void OnHello(LinkState& link, const v1::IngestHello& hello, MonoTime now);
  void OnCatalogue(LinkState& link, const v1::Catalogue& catalogue, MonoTime now);
  SlotNumber SlotFor(const v1::CatalogueTopic& topic, const v1::CatalogueSlot& slot, bool* fresh);
  bool MayComeBack(const SlotState& slot, MonoTime now) const;
  void DropUnknownSlots(MonoTime now);
  void PublishSlots();
  void OnBeat(LinkState& link, const v1::Beat& beat, MonoTime now);

  // link_attach.cc
  int64_t RouteAge(const LinkState& link) const;
  LinkState* Place(const SlotState& slot, MonoTime now, bool ignore_avoidance);
  bool MayPlace(MonoTime now);
  void AttachAll(MonoTime now);
  void TryAttach(SlotState& slot, MonoTime now);
  void SendAttach(SlotState& slot, LinkState& link, MonoTime now);
  void Unattach(SlotState& slot, MonoTime now);
  static void LeaveAttached(SlotState& slot, MonoTime now);
  void OnAttached(LinkState& link, const v1::Attached& attached, MonoTime now);
  void OnRefused(LinkState& link, const v1::AttachRefused& refused, MonoTime now);
  void OnPrepared(LinkState& link, const v1::Prepared& prepared, MonoTime now);
  void CheckReaders(MonoTime now);
  void CheckMoves(MonoTime now);

  // link_batch.cc
  void OnBatch(LinkState& link, std::string_view bytes, MonoTime now);
  // W becomes `upto`; `back` before it stands the record of `fingerprint`, if that is not 0.
  static void TakeIn(SlotState& slot, int64_t upto, uint32_t fingerprint, uint64_t back,
                     EdgeBatch* batch);
  void OnPart(LinkState& link, const v1::BatchPart& part, MonoTime now);
  void OnEphemeral(LinkState& link, const v1::EphemeralBatch& batch, size_t bytes, MonoTime now);
  // Some ephemeral events may have been lost: told now, or, if that was told a moment ago, later.
  void LoseEphemeral(MonoTime now);
  void TellEphemeralGap(MonoTime now);
  Ref<EdgeEvent> Take(const wire::EventView& view, SlotNumber slot);
  // Into matches_: the patterns that the event goes to.
  void FindPatterns(const wire::EventView& view, SlotNumber slot);
  // Points scratch_ into a parsed event; its slot is the ingest's.
  void View(const v1::Event& event);
  SlotState* CurrentSlot(const LinkState& link, uint32_t ingest_slot, uint64_t attach_id);
  // The slot by the ingest's number if it is attached on this link, whatever the attachment.
  SlotState* AttachedSlot(const LinkState& link, uint32_t ingest_slot);

  // link_reset.cc
  void Reset(SlotState& slot, MonoTime now);
  // The slot is no more.
  void Retire(std::unique_ptr<SlotState>& slot);
  // `entry` without its number and source. `told_as`: as catalogues name it.
  SlotNumber AddSlot(SlotEntry entry, std::string told_as, bool from_begin);
  uint64_t IncarnationOf(std::string_view told_as) const;

  // link_interest.cc
  void SendWholeInterest(LinkState& link);
  class InterestWriter;
  void SendInterest(const std::vector<ChannelInterest*>& add,
                    const std::vector<std::string>& remove);
  void TellFresh();
  void AwaitCoverage(ChannelInterest& channel, const SlotState& slot);
  // To be posted by PostCoverage: one message for each worker, whatever the number of slots.
  void CoverageKnown(const SlotState& slot, const LinkState& link, uint64_t sequence,
                     int64_t after);
  void PostCoverage();
  void ExpireInterest(MonoTime now);
  ChannelInterest::Unused& UnusedLike(const ChannelInterest& channel) {
    return channel.pattern == nullptr ? unused_ : unused_patterns_;
  }

  // link_reads.cc
  void RetryReads(MonoTime now);
  // Whether an answer about it is about the topic that the slot is attached to now.
  bool IsStill(const LinkState& link, const PendingCall::Asked& asked) const;
  void StartReads(MonoTime now);
  void StartRead(PendingRead read, MonoTime now);
  bool TimedOut(const PendingRead& read, MonoTime now) const;
  // The call under way whose answer may serve this read, too; null if there is none.
  PendingCall* SharedCall(LinkState& link, const PendingRead& read);
  // The channels' calls under way of this read's kind.
  static StringMap<uint64_t>& CallsLike(LinkState& link, const PendingRead& read);
  void BeginCall(LinkState& link, PendingRead read);
  void FinishCall(PendingCall call, MonoTime now);
  std::unique_ptr<PendingCall> TakeCall(uint64_t number);
  void DropReads(LinkId link, MonoTime now);
  void AskLater(PendingRead read, MonoTime now);
  void FailRead(const PendingRead& read);

  const Options options_;
  VariantTable& variants_;
  LinkCoreSink& sink_;
  std::mt19937_64 random_;
  Links links_;
  std::vector<std::unique_ptr<SlotState>> slots_;  // by SlotNumber; null once dropped
  StringMap<SlotNumber> slot_numbers_;             // by SlotState::told_as
  StringMap<uint64_t> incarnations_;               // the next, of slots that are no more; as above
  bool catalogue_complete_ = false;
  StringMap<MonoTime> gone_;        // ingests by node id: when the link to them was lost
  StringMap<int64_t> route_times_;  // by hash of the routes: the earliest time told with it
  MonoTime forget_wanted_;          // when VariantTable::ForgetWanted() is due
  MonoTime first_catalogue_;        // once catalogue_complete_
  bool placed_ = false;             // slots were placed once: from then on without waiting
  size_t expected_links_ = 0;
  bool draining_ = false;
  Interests interests_;
  ChannelInterest::Unused unused_;  // of them, those that no worker wants, the oldest first
  ChannelInterest::Unused unused_patterns_;  // likewise
  PatternMap<ChannelInterest*> patterns_;    // of interests_
  std::vector<PatternMatch> matches_;        // scratch of Take
  uint64_t record_ = 0;                      // that events are of: a pattern gets one of each
  SlotNumber record_slot_ = kNoSlot;         // kNoSlot: none of this batch
  int64_t record_offset_ = -1;
  std::vector<ChannelInterest*> fresh_;  // and those that no ingest was told of
  MonoTime tell_not_before_;
  std::map<size_t, std::vector<ChannelCoverage>> covered_;  // by worker; empty between turns
  std::deque<PendingRead> waiting_reads_;  // until there is credit, first come first served
  std::vector<PendingRead> later_reads_;   // until their not_before
  absl::flat_hash_map<uint64_t, std::unique_ptr<PendingCall>> calls_;
  KeptHistories kept_histories_;
  bool ephemeral_lost_ = false;  // and nobody was told yet
  MonoTime next_ephemeral_gap_;
  uint64_t next_attach_id_;
  uint64_t next_call_ = 1;
  wire::EventView scratch_;
  LinkCounters counters_;
};

}  // namespace spillway::edge
