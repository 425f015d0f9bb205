#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/wire/event_wire.h"
#include "services/edge/upstream/link_core.h"

namespace spillway::edge {

// Writes down what the link thread does, as text: to each link, and to the workers.
class FakeLinkSink final : public LinkCoreSink {
 public:
  std::map<LinkId, std::vector<std::string>> sent;
  std::map<LinkId, std::string> closed;
  std::vector<std::string> posted;  // to the workers
  std::vector<std::string> reads;   // "1:snapshot 5 c 10:7": link, kind, call, channel, slots
  std::vector<uint64_t> asked_for;  // attach ids that reads named
  std::vector<std::string> reports;
  int ephemeral_gaps = 0;
  std::shared_ptr<const SlotTable> table;
  bool keep_texts = true;  // of what is sent; else only the figures below
  size_t largest_request = 0;
  size_t interest_names = 0;  // added and removed
  size_t interest_posts = 0;  // to workers

  std::vector<std::string> Take(LinkId link) { return std::exchange(sent[link], {}); }
  std::vector<std::string> TakePosted() { return std::exchange(posted, {}); }
  std::vector<std::string> TakeReads() { return std::exchange(reads, {}); }

  void Send(LinkId link, v1::LinkRequest request) override {
    largest_request = std::max(largest_request, request.ByteSizeLong());
    interest_names +=
        static_cast<size_t>(request.interest().add_size() + request.interest().remove_size());
    if (!keep_texts) return;
    std::string text;
    switch (request.message_case()) {
      case v1::LinkRequest::kHello:
        text = request.hello().state().draining() ? "hello draining" : "hello";
        break;
      case v1::LinkRequest::kInterest: {
        const v1::Interest& interest = request.interest();
        text = absl::StrCat("interest ", interest.sequence(), interest.full() ? " full" : "");
        for (const std::string& channel : interest.add()) absl::StrAppend(&text, " +", channel);
        for (const std::string& channel : interest.remove()) {
          absl::StrAppend(&text, " -", channel);
        }
        break;
      }
      case v1::LinkRequest::kAttach: {
        const v1::Attach& attach = request.attach();
        text = absl::StrCat("attach ", attach.slot(), "#", attach.attach_id());
        if (attach.has_after()) absl::StrAppend(&text, " after ", attach.after());
        if (attach.fingerprint() != 0) {
          absl::StrAppend(&text, " proof ", attach.fingerprint(), "@", attach.fingerprint_at());
        }
        if (attach.begin()) text += " begin";
        if (attach.end()) text += " end";
        break;
      }
      case v1::LinkRequest::kDetach:
        text = absl::StrCat("detach ", request.detach().slot(), "#", request.detach().attach_id());
        break;
      case v1::LinkRequest::kPrepare:
        text = absl::StrCat("prepare ", request.prepare().slot(), " after ",
                            request.prepare().after());
        break;
      case v1::LinkRequest::kState:
        text = request.state().draining() ? "draining" : "serving";
        break;
      case v1::LinkRequest::kCredit:
        text = absl::StrCat("credit ", request.credit().bytes());
        break;
      case v1::LinkRequest::MESSAGE_NOT_SET:
        text = "nothing";
        break;
    }
    sent[link].push_back(std::move(text));
  }
  void CloseLink(LinkId link, LinkEnd why) override { closed[link] = CodeOf(why); }
  void StartRead(LinkId link, uint64_t call, v1::SnapshotRequest request) override {
    for (const auto& place : request.not_before()) asked_for.push_back(place.attach_id());
    reads.push_back(absl::StrCat(link, ":snapshot ", call, " ", request.channel(),
                                 Slots(request.not_before())));
  }
  void StartRead(LinkId link, uint64_t call, v1::HistoryRequest request) override {
    for (const auto& place : request.after()) asked_for.push_back(place.attach_id());
    for (const auto& claim : request.claims()) asked_for.push_back(claim.attach_id());
    if (request.claims().empty()) {
      reads.push_back(
          absl::StrCat(link, ":history ", call, " ", request.channel(), Slots(request.after())));
      return;
    }
    std::string text = absl::StrCat(link, ":judge ", call);
    for (const v1::Claim& claim : request.claims()) {
      absl::StrAppend(&text, " ", claim.slot(), ":", claim.offset(), " #", claim.fingerprint(), "@",
                      claim.fingerprint_at());
    }
    reads.push_back(std::move(text));
  }
  void PostBatch(std::shared_ptr<const EdgeBatch> batch, LinkId, size_t) override {
    std::string text = "batch";
    for (const auto& event : batch->events) {
      absl::StrAppend(&text, " ", event->slot(), ":", event->offset(), Patterns(*event));
    }
    for (const auto& progress : batch->progress) {
      absl::StrAppend(&text, " ", progress.slot, "<=", progress.upto);
    }
    posted.push_back(std::move(text));
  }
  void PostSlots(std::shared_ptr<const SlotTable> slots) override {
    table = std::move(slots);
    std::vector<std::string> names;
    for (const auto& slot : table->slots) names.push_back(slot == nullptr ? "-" : slot->source);
    posted.push_back("slots " + absl::StrJoin(names, " "));
  }
  void PostGap(SlotNumber slot, int64_t from, int64_t to, std::string reason) override {
    posted.push_back(absl::StrCat("gap ", slot, ":", from, "..", to, " ", reason));
  }
  void PostEphemeral(std::vector<Ref<EdgeEvent>> events, LinkId, size_t) override {
    std::string text = absl::StrCat("ephemeral ", events.size());
    for (const auto& event : events) text += Patterns(*event);
    posted.push_back(std::move(text));
  }
  void PostEphemeralGap() override { ++ephemeral_gaps; }
  void PostInterest(size_t worker, std::vector<ChannelCoverage> covered) override {
    ++interest_posts;
    for (const ChannelCoverage& one : covered) {
      posted.push_back(
          absl::StrCat("interest ", worker, " ", one.channel, " ", one.slot, ":", one.after));
    }
  }
  void PostRead(size_t worker, uint64_t read_id,
                std::shared_ptr<const EdgeReadResult> result) override {
    std::string text = absl::StrCat("read ", worker, " ", read_id, result->failed ? " failed" : "");
    for (const auto& event : result->events) {
      absl::StrAppend(&text, " ", event->slot(), ":", event->offset(), Patterns(*event));
    }
    for (const auto& as_of : result->as_of) {
      absl::StrAppend(&text, " as of ", as_of.slot, ":", as_of.upto);
    }
    for (const Verdict verdict : result->verdicts) {
      absl::StrAppend(&text, " verdict ", static_cast<int>(verdict));
    }
    for (const auto& gap : result->gaps) {
      absl::StrAppend(&text, " gap ", gap.slot, ":", gap.from, "..", gap.to);
    }
    posted.push_back(std::move(text));
  }
  void Report(std::string_view code, std::string) override { reports.emplace_back(code); }

 private:
  // "[p.*=p.a]" for each pattern that it goes to, with the channel that it is for there.
  static std::string Patterns(const EdgeEvent& event) {
    std::string text;
    for (size_t i = 0; i < event.channel_count(); ++i) {
      if (!event.is_pattern(i)) continue;
      text += "[" + std::string(event.channel(i)) + "=" + std::string(event.channel_in(i)) + "]";
    }
    return text;
  }
  template <typename Offsets>
  static std::string Slots(const Offsets& offsets) {
    std::string text;
    for (const v1::SlotOffset& at : offsets) {
      absl::StrAppend(&text, " ", at.slot(), ":", at.offset());
    }
    return text;
  }
};

// Frames play no part here.
class EmptyEncoder final : public EventEncoder {
 public:
  Ref<Frame> EncodeEvent(const EdgeEvent&, size_t) const override {
    return Frame::Make(Opcode::kText, "");
  }
  Ref<Frame> EncodeCheckpoint(std::string_view, const std::vector<PositionEntry>&) const override {
    return {};
  }
  Ref<Frame> EncodeJoined(std::string_view, const PositionEntry&) const override { return {}; }
  Ref<Frame> EncodeEphemeralGap(std::string_view) const override {
    return Frame::Make(Opcode::kText, "");
  }
  Ref<Frame> EncodeGap(std::string_view, const GapInfo&) const override {
    return Frame::Make(Opcode::kText, "");
  }
};

// A link core and ingests that say what each test has them say. Link N is with the ingest
// "ingest-N", whose slot for partition P of topic "t" is 10 * N + P: numbers differ from one to the
// next.
class LinkCoreTest : public ::testing::Test {
 protected:
  using Lines = std::vector<std::string>;

  LinkCoreTest() { variants_.Add(&encoder_); }
  void SetUp() override { Build({}); }

  void Build(LinkCore::Options options) {
    core_ = std::make_unique<LinkCore>(std::move(options), variants_, sink_, /*seed=*/1);
  }

  // In a turn of its own; interest was not told for long.
  void Want(size_t worker, std::string_view channel) {
    now_ += std::chrono::milliseconds(10);
    core_->AddInterest(worker, channel, now_);
    EXPECT_EQ(core_->EndTurn(now_), MonoTime::max());
  }
  void Deliver(LinkId link, const v1::LinkResponse& response) {
    core_->OnMessage(link, response.SerializeAsString(), now_);
  }
  void Hello(LinkId link, std::string node_id, int64_t route_time_us = 1,
             std::string route_hash = "same") {
    v1::LinkResponse response;
    v1::IngestHello* hello = response.mutable_hello();
    hello->set_node_id(std::move(node_id));
    hello->set_protocol(1);
    hello->set_route_hash(std::move(route_hash));
    hello->set_route_time_us(route_time_us);
    Deliver(link, response);
  }
  void Catalogue(LinkId link, std::vector<int32_t> partitions, std::vector<int32_t> young = {},
                 std::string feeds = "c") {
    v1::LinkResponse response;
    v1::Catalogue* catalogue = response.mutable_catalogue();
    catalogue->set_complete(true);
    v1::CatalogueTopic* topic = catalogue->add_topics();
    topic->set_topic("t");
    topic->add_feeds()->set_pattern(std::move(feeds));
    for (const auto* list : {&partitions, &young}) {
      for (int32_t partition : *list) {
        v1::CatalogueSlot* slot = topic->add_slots();
        slot->set_slot(SlotOf(link, partition));
        slot->set_partition(partition);
        slot->set_young(list == &young);
      }
    }
    Deliver(link, response);
  }
  void Beat(LinkId link, bool kafka_up = true, std::vector<v1::ReaderBeat> readers = {}) {
    v1::LinkResponse response;
    response.mutable_beat()->set_kafka_up(kafka_up);
    for (const v1::ReaderBeat& reader : readers) *response.mutable_beat()->add_readers() = reader;
    Deliver(link, response);
  }
  static v1::ReaderBeat Stalled(uint32_t slot, uint64_t attach_id, int64_t since_ms) {
    v1::ReaderBeat beat;
    beat.set_slot(slot);
    beat.set_attach_id(attach_id);
    beat.set_state(v1::READER_STATE_STALLED);
    beat.set_since_ms(since_ms);
    return beat;
  }
  // A link up to the point where its catalogue is known.
  void Open(LinkId link, std::vector<int32_t> partitions, int64_t route_time_us = 1,
            std::string route_hash = "same", std::string feeds = "c") {
    core_->OnLinkUp(link, now_);
    Hello(link, absl::StrCat("ingest-", link), route_time_us, std::move(route_hash));
    Catalogue(link, std::move(partitions), {}, std::move(feeds));
    Beat(link);
  }
  static uint32_t SlotOf(LinkId link, int32_t partition) {
    return static_cast<uint32_t>(10 * link) + static_cast<uint32_t>(partition);
  }
  void Attached(LinkId link, uint32_t slot, uint64_t attach_id, int64_t after,
                uint64_t interest_sequence = 1) {
    v1::LinkResponse response;
    v1::Attached* attached = response.mutable_attached();
    attached->set_slot(slot);
    attached->set_attach_id(attach_id);
    attached->set_after(after);
    attached->set_interest_sequence(interest_sequence);
    Deliver(link, response);
  }
  void Refused(LinkId link, uint32_t slot, uint64_t attach_id, std::string code) {
    v1::LinkResponse response;
    v1::AttachRefused* refused = response.mutable_attach_refused();
    refused->set_slot(slot);
    refused->set_attach_id(attach_id);
    refused->set_code(std::move(code));
    Deliver(link, response);
  }
  void Prepared(LinkId link, uint32_t slot, int64_t after) {
    v1::LinkResponse response;
    response.mutable_prepared()->set_slot(slot);
    response.mutable_prepared()->set_after(after);
    Deliver(link, response);
  }
  // A serialised batch: events of channel "c", then progress.
  static std::string Batch(uint32_t slot, uint64_t attach_id, std::vector<int64_t> offsets,
                           int64_t upto, uint64_t interest_sequence = 0,
                           int64_t interest_after = 0) {
    std::string bytes;
    for (int64_t offset : offsets) {
      wire::EventView view;
      view.slot = slot;
      view.offset = offset;
      view.channels.push_back("c");
      view.payload = "{}";
      wire::AppendBatchEvent(view, &bytes);
    }
    wire::AppendBatchProgress({.slot = slot,
                               .attach_id = attach_id,
                               .upto = upto,
                               .fingerprint = 0,
                               .interest_sequence = interest_sequence,
                               .interest_after = interest_after},
                              &bytes);
    return bytes;
  }
  void SendBatch(LinkId link, const std::string& batch) {
    core_->OnMessage(link, wire::LinkBatchHeader(batch.size()) + batch, now_);
  }
  // Time passes; the links in `alive` beat.
  void Pass(std::chrono::milliseconds time, std::vector<LinkId> alive = {}) {
    now_ += time;
    for (LinkId link : alive) Beat(link);
    core_->Tick(now_);
  }
  // One ingest, partition 0 attached at offset 9, worker 0 wants "c".
  void OneAttached() {
    Want(0, "c");
    Open(1, {0});
    Attached(1, 10, 1, 9);
    sink_.Take(1);
    sink_.TakePosted();
  }
  // The link that a text "attach ..." went to, of links 1 to 3; 0 if to none. Takes what was sent.
  LinkId AttachedTo() {
    LinkId chosen = 0;
    for (LinkId link = 1; link <= 3; ++link) {
      for (const std::string& line : sink_.Take(link)) {
        if (line.starts_with("attach ")) chosen = link;
      }
    }
    return chosen;
  }

  EmptyEncoder encoder_;
  VariantTable variants_;
  FakeLinkSink sink_;
  std::unique_ptr<LinkCore> core_;
  MonoTime now_{std::chrono::hours(1)};
};

}  // namespace spillway::edge
