#include "services/ingest/link/link_session.h"

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

bool Parse(const grpc::ByteBuffer& buffer, v1::LinkRequest* request) {
  grpc::Slice slice;
  if (!buffer.DumpToSingleSlice(&slice).ok()) return false;
  return request->ParseFromArray(slice.begin(), static_cast<int>(slice.size()));
}

}  // namespace

LinkSession* LinkSession::Start(LinkId id, Limits limits, LinkSessionHandler& handler,
                                grpc::CallbackServerContext* context) {
  std::shared_ptr<LinkSession> session(new LinkSession(id, limits, handler, context));
  session->self_ = session;
  // gRPC orders the reactions after this; the lock, here and at the head of each, shows it to
  // ThreadSanitizer, which does not see into the library.
  { MutexLock lock(session->mutex_); }
  session->StartRead(&session->incoming_);
  return session.get();
}

void LinkSession::OnReadDone(bool ok) {
  { MutexLock lock(mutex_); }  // see Start
  if (!ok) {                   // the edge has ended its side, or the connection is gone
    Close(grpc::Status::OK);
    return;
  }
  v1::LinkRequest request;
  if (!Parse(incoming_, &request)) {
    Close({grpc::StatusCode::INVALID_ARGUMENT, "not a LinkRequest"});
    return;
  }
  if (!greeted_) {
    if (request.message_case() != v1::LinkRequest::kHello) {
      Close({grpc::StatusCode::FAILED_PRECONDITION, "the first message on a link is Hello"});
      return;
    }
    greeted_ = true;
    hello_ = request.hello();
    {
      MutexLock lock(mutex_);
      credit_ = hello_.credit_bytes();
    }
    const grpc::Status status = handler_.OnHello(shared_from_this(), hello_);
    if (!status.ok()) {
      Close(status);
      return;
    }
  } else if (request.message_case() == v1::LinkRequest::kCredit) {
    {
      MutexLock lock(mutex_);
      credit_ += std::max<int64_t>(0, request.credit().bytes());
    }
    WriteNext();
  } else {
    if (request.message_case() == v1::LinkRequest::kInterest) {
      MutexLock lock(mutex_);
      interest_.Apply(request.interest());
    }
    handler_.OnRequest(*this, request);
  }
  incoming_.Clear();
  { MutexLock lock(mutex_); }
  StartRead(&incoming_);
}

void LinkSession::Send(const v1::LinkResponse& response) {
  {
    MutexLock lock(mutex_);
    if (closing_) return;
    Out& out = queue_.emplace_back();
    out.buffer = ToBuffer(response);
    queued_bytes_ += out.buffer.Length();
  }
  WriteNext();
}

void LinkSession::SendBatch(size_t shard, std::string batch) {
  {
    MutexLock lock(mutex_);
    if (closing_) return;
    const auto cost = static_cast<int64_t>(batch.size());
    if (batch.size() <= 2 * limits_.part_bytes) {
      const grpc::Slice slices[] = {OwningSlice(wire::LinkBatchHeader(batch.size())),
                                    OwningSlice(std::move(batch))};
      Out& out = queue_.emplace_back();
      out.buffer = grpc::ByteBuffer(slices, 2);
      out.cost = cost;
      out.batch = true;
      out.shard = shard;
    } else {
      for (size_t at = 0; at < batch.size(); at += limits_.part_bytes) {
        v1::LinkResponse response;
        v1::BatchPart* part = response.mutable_batch_part();
        part->set_data(batch.substr(at, limits_.part_bytes));
        part->set_last(at + limits_.part_bytes >= batch.size());
        Out& out = queue_.emplace_back();
        out.buffer = ToBuffer(response);
        out.cost = part->last() ? cost : 0;  // parts of one batch must not wait for each other
        out.batch = part->last();
        out.shard = shard;
      }
    }
    queued_bytes_ += static_cast<size_t>(cost);
  }
  WriteNext();
}

void LinkSession::SendBeat(const v1::LinkResponse& beat) {
  {
    MutexLock lock(mutex_);
    if (closing_) return;
    beat_ = std::make_unique<grpc::ByteBuffer>(ToBuffer(beat));
  }
  WriteNext();
}

bool LinkSession::SendEphemeral(const std::string& event,
                                const std::vector<uint64_t>& channel_hashes) {
  {
    MutexLock lock(mutex_);
    if (closing_ || !interest_.ContainsAny(channel_hashes)) {
      return false;
    }
    // Numbered before it may be dropped: the edge sees that one is missing.
    const uint64_t number = next_ephemeral_++;
    if (ephemeral_queued_ + event.size() > limits_.ephemeral_bytes) {
      ++ephemeral_dropped_;
      return false;
    }
    v1::LinkResponse response;
    v1::EphemeralBatch* batch = response.mutable_ephemeral();
    batch->set_first(number);
    batch->add_events()->ParseFromString(event);
    Out& out = queue_.emplace_back();
    out.buffer = ToBuffer(response);
    out.cost = static_cast<int64_t>(out.buffer.Length());
    out.ephemeral = true;
    ephemeral_queued_ += out.buffer.Length();
    queued_bytes_ += out.buffer.Length();
  }
  WriteNext();
  return true;
}

void LinkSession::WriteNext() {
  bool finish = false;
  grpc::Status status;
  {
    MutexLock lock(mutex_);
    if (writing_ || finished_) return;
    if (closing_) {
      finished_ = finish = true;
      status = status_;
    } else if (beat_ != nullptr) {
      writing_now_ = Out();
      writing_now_.buffer = std::move(*beat_);
      beat_.reset();
      writing_ = true;
    } else if (!queue_.empty() && (queue_.front().cost == 0 || credit_ > 0)) {
      writing_now_ = std::move(queue_.front());
      queue_.pop_front();
      credit_ -= writing_now_.cost;
      const size_t length = writing_now_.buffer.Length();
      queued_bytes_ -= std::min(queued_bytes_, length);
      if (writing_now_.ephemeral) ephemeral_queued_ -= std::min(ephemeral_queued_, length);
      writing_ = true;
    } else {
      return;
    }
  }
  // Whoever set writing_ (or finished_) is alone here: outside the lock, since gRPC may react at
  // once.
  if (finish) {
    Finish(status);
  } else {
    StartWrite(&writing_now_.buffer);
  }
}

void LinkSession::OnWriteDone(bool ok) {
  bool taken = false;
  size_t shard = 0;
  {
    MutexLock lock(mutex_);
    writing_ = false;
    taken = ok && writing_now_.batch;
    shard = writing_now_.shard;
    writing_now_ = Out();
    if (!ok && !closing_) {
      closing_ = true;
      status_ = grpc::Status::OK;
    }
  }
  WriteNext();
  if (taken) handler_.OnBatchTaken(id_, shard);
}

void LinkSession::Close(grpc::Status status) {
  bool stuck = false;
  {
    MutexLock lock(mutex_);
    if (closing_) return;
    closing_ = true;
    status_ = std::move(status);
    queue_.clear();
    beat_.reset();
    queued_bytes_ = ephemeral_queued_ = 0;
    stuck = writing_;
  }
  // A write that the edge does not take would hold up the end for ever.
  if (stuck) context_->TryCancel();
  WriteNext();
}

void LinkSession::OnCancel() { Close(grpc::Status::CANCELLED); }

void LinkSession::OnDone() {
  { MutexLock lock(mutex_); }
  const std::shared_ptr<LinkSession> self = std::move(self_);
  handler_.OnClosed(*this);
}

void LinkSession::SetReaderStates(size_t shard, std::vector<v1::ReaderBeat> states) {
  MutexLock lock(mutex_);
  if (states_.size() <= shard) states_.resize(shard + 1);
  states_[shard] = std::move(states);
}

void LinkSession::CopyReaderStates(v1::Beat* beat) const {
  MutexLock lock(mutex_);
  for (const auto& states : states_) {
    for (const v1::ReaderBeat& state : states) *beat->add_readers() = state;
  }
}

uint64_t LinkSession::ephemeral_dropped() const {
  MutexLock lock(mutex_);
  return ephemeral_dropped_;
}

size_t LinkSession::queued_bytes() const {
  MutexLock lock(mutex_);
  return queued_bytes_;
}

}  // namespace spillway::ingest
