#include "services/ingest/link/link_outbox.h"

#include <algorithm>
#include <utility>

#include "common/wire/event_wire.h"

namespace spillway::ingest {
namespace {

// A slice that owns the string: batches are handed to gRPC without a copy.
grpc::Slice OwningSlice(std::string bytes) {
  auto* owner = new std::string(std::move(bytes));
  return grpc::Slice(
      owner->data(), owner->size(),
      [](void* pointer) { delete static_cast<std::string*>(pointer); }, owner);
}

grpc::ByteBuffer ToBuffer(const v1::LinkResponse& response) {
  const grpc::Slice slice = OwningSlice(response.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

}  // namespace

void LinkOutbox::Push(Out out) {
  queued_bytes_ += out.buffer.Length();
  data_queued_ += out.data() ? 1 : 0;
  queue_.push_back(std::move(out));
}

void LinkOutbox::Greet(const v1::LinkResponse& hello) {
  greeted_ = true;
  hello_ = ToBuffer(hello);
}

bool LinkOutbox::AddAnswer(const v1::LinkResponse& answer) {
  if (!greeted_) return true;
  Out out{.buffer = ToBuffer(answer)};
  answer_bytes_ += out.buffer.Length();
  Push(std::move(out));
  return answer_bytes_ <= limits_.answer_bytes;
}

bool LinkOutbox::AddControl(const v1::LinkResponse& control) {
  if (!greeted_) return true;
  Out out{.buffer = ToBuffer(control), .kind = Out::Kind::kControl};
  control_bytes_ += out.buffer.Length();
  Push(std::move(out));
  return control_bytes_ <= limits_.control_bytes;
}

void LinkOutbox::AddWhole(Whole what, uint64_t version, const v1::LinkResponse& response) {
  uint64_t& told = told_[static_cast<size_t>(what)];
  if (!greeted_ || version <= told) return;
  told = version;
  std::erase_if(queue_, [&](const Out& out) {
    if (out.kind != Out::Kind::kWhole || out.whole != what) return false;
    queued_bytes_ -= out.buffer.Length();
    return true;
  });
  Push({.buffer = ToBuffer(response), .kind = Out::Kind::kWhole, .whole = what});
}

void LinkOutbox::AddBatch(size_t shard, std::string batch) {
  if (!greeted_) return;
  const auto cost = static_cast<int64_t>(batch.size());
  if (batch.size() <= limits_.message_bytes) {
    const grpc::Slice slices[] = {OwningSlice(wire::LinkBatchHeader(batch.size())),
                                  OwningSlice(std::move(batch))};
    Push({.buffer = grpc::ByteBuffer(slices, 2),
          .cost = cost,
          .kind = Out::Kind::kBatch,
          .last_piece = true,
          .shard = shard});
    return;
  }
  for (size_t at = 0; at < batch.size(); at += limits_.part_bytes) {
    v1::LinkResponse response;
    v1::BatchPart* part = response.mutable_batch_part();
    part->set_data(batch.substr(at, limits_.part_bytes));
    part->set_last(at + limits_.part_bytes >= batch.size());
    // The first takes credit for all: parts of one batch must not wait for each other.
    Push({.buffer = ToBuffer(response),
          .cost = at == 0 ? cost : 0,
          .kind = Out::Kind::kBatch,
          .last_piece = part->last(),
          .shard = shard});
  }
}

void LinkOutbox::SetBeat(const v1::LinkResponse& beat) {
  if (greeted_) beat_ = ToBuffer(beat);
}

bool LinkOutbox::AddEphemeral(std::string_view event) {
  if (!greeted_) return false;
  const uint64_t number = next_ephemeral_++;
  if (ephemeral_bytes_ + event.size() > limits_.ephemeral_bytes) {
    ++ephemeral_dropped_;
    MarkDropped(number + 1);
    return false;
  }
  // What waits while another message is written leaves together: a message wakes three threads at
  // the edge, however little is in it.
  const bool joins = !queue_.empty() && queue_.back().kind == Out::Kind::kEphemeral &&
                     queue_.back().next == number &&
                     queue_.back().events.size() + event.size() <= limits_.part_bytes;
  if (!joins) Push({.cost = 1, .kind = Out::Kind::kEphemeral, .first = number});
  Out& out = queue_.back();
  const size_t before = out.events.size();
  wire::AppendEphemeralEvent(event, &out.events);
  out.next = number + 1;
  queued_bytes_ += out.events.size() - before;
  ephemeral_bytes_ += out.events.size() - before;
  return true;
}

void LinkOutbox::Finish(Out& out) {
  const grpc::Slice slices[] = {
      OwningSlice(wire::LinkEphemeralHeader(out.first, out.events.size())),
      OwningSlice(std::move(out.events))};
  out.buffer = grpc::ByteBuffer(slices, 2);
  out.cost = static_cast<int64_t>(out.buffer.Length());
}

bool LinkOutbox::Turn(MonoTime now) {
  if (limits_.interval.count() == 0 || turn_ > 0) return true;
  // A little early is on time: one wake-up then serves all links that wait.
  if (last_turn_.has_value() && now < *last_turn_ + limits_.interval * 3 / 4) {
    held_until_ = *last_turn_ + limits_.interval;
    return false;
  }
  last_turn_ = now;
  turn_ = data_queued_;  // what comes from now on waits for the next one
  return true;
}

void LinkOutbox::MarkDropped(uint64_t next) {
  const auto last = std::find_if(queue_.rbegin(), queue_.rend(),
                                 [](const Out& out) { return out.kind == Out::Kind::kEphemeral; });
  if (last != queue_.rend() && last->events.empty()) {
    last->first = last->next = next;
  } else {
    Push({.cost = 1, .kind = Out::Kind::kEphemeral, .first = next, .next = next});
  }
}

std::optional<LinkOutbox::Out> LinkOutbox::Next(MonoTime now) {
  held_until_.reset();
  if (hello_.has_value()) {
    return Out{.buffer = *std::exchange(hello_, std::nullopt), .kind = Out::Kind::kHello};
  }
  if (beat_.has_value()) {
    return Out{.buffer = *std::exchange(beat_, std::nullopt), .kind = Out::Kind::kBeat};
  }
  if (queue_.empty() || (queue_.front().cost > 0 && credit_ <= 0)) return std::nullopt;
  if (queue_.front().data() && !Turn(now)) return std::nullopt;
  Out out = std::move(queue_.front());
  queue_.pop_front();
  if (out.data()) {
    --data_queued_;
    if (turn_ > 0) --turn_;
  }
  if (out.kind == Out::Kind::kEphemeral) {
    queued_bytes_ -= out.events.size();
    ephemeral_bytes_ -= out.events.size();
    Finish(out);
    credit_ -= out.cost;
    return out;
  }
  credit_ -= out.cost;
  const size_t length = out.buffer.Length();
  queued_bytes_ -= length;
  if (out.kind == Out::Kind::kAnswer) answer_bytes_ -= length;
  if (out.kind == Out::Kind::kControl) control_bytes_ -= length;
  return out;
}

void LinkOutbox::Clear() {
  hello_.reset();
  beat_.reset();
  queue_.clear();
  queued_bytes_ = answer_bytes_ = control_bytes_ = ephemeral_bytes_ = 0;
  data_queued_ = turn_ = 0;
}

}  // namespace spillway::ingest
