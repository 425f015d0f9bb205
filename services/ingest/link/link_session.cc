#include "services/ingest/link/link_session.h"

#include <utility>

namespace spillway::ingest {
namespace {

bool Parse(const grpc::ByteBuffer& buffer, v1::LinkRequest* request) {
  grpc::Slice slice;
  if (!buffer.DumpToSingleSlice(&slice).ok()) return false;
  return request->ParseFromArray(slice.begin(), static_cast<int>(slice.size()));
}

}  // namespace

std::shared_ptr<LinkSession> LinkSession::Make(LinkId id, const Shared& shared,
                                               grpc::CallbackServerContext* context) {
  std::shared_ptr<LinkSession> session(new LinkSession(id, shared, context));
  session->self_ = session;
  return session;
}

void LinkSession::Start() {
  // gRPC orders the reactions after this; the lock, here and at the head of each, shows it to
  // ThreadSanitizer, which does not see into the library.
  { MutexLock lock(mutex_); }
  StartRead(&incoming_);
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
    SetDraining(hello_.state().draining());
    {
      MutexLock lock(mutex_);
      outbox_.AddCredit(hello_.credit_bytes());
    }
    const grpc::Status status = handler_.OnHello(shared_from_this(), hello_);
    if (!status.ok()) {
      Close(status);
      return;
    }
  } else if (request.message_case() == v1::LinkRequest::kCredit) {
    {
      MutexLock lock(mutex_);
      outbox_.AddCredit(request.credit().bytes());
    }
    WriteNext();
  } else {
    if (request.message_case() == v1::LinkRequest::kInterest) {
      MutexLock lock(mutex_);
      interest_.Apply(request.interest());
      interest_sequence_ = request.interest().sequence();
    }
    handler_.OnRequest(*this, request);
  }
  incoming_.Clear();
  { MutexLock lock(mutex_); }
  StartRead(&incoming_);
}

void LinkSession::Greet(const v1::LinkResponse& hello) {
  {
    MutexLock lock(mutex_);
    if (closing_) return;
    outbox_.Greet(hello);
  }
  WriteNext();
}

void LinkSession::Send(const v1::LinkResponse& answer) {
  SendBounded(&LinkOutbox::AddAnswer, answer);
}

void LinkSession::SendControl(const v1::LinkResponse& control) {
  SendBounded(&LinkOutbox::AddControl, control);
}

void LinkSession::SendBounded(bool (LinkOutbox::*add)(const v1::LinkResponse&),
                              const v1::LinkResponse& response) {
  bool bounded = true;
  {
    MutexLock lock(mutex_);
    if (closing_ || overflowed_) return;
    bounded = (outbox_.*add)(response);
    overflowed_ = !bounded;
  }
  if (!bounded) {
    handler_.OnAnswersOverflow(*this);
    Close({grpc::StatusCode::RESOURCE_EXHAUSTED, "the edge does not take its answers"});
    return;
  }
  WriteNext();
}

void LinkSession::SendWhole(LinkOutbox::Whole what, uint64_t version,
                            const v1::LinkResponse& response) {
  {
    MutexLock lock(mutex_);
    if (closing_) return;
    outbox_.AddWhole(what, version, response);
  }
  WriteNext();
}

void LinkSession::SendBatch(size_t shard, std::string batch) {
  {
    MutexLock lock(mutex_);
    if (closing_) return;
    outbox_.AddBatch(shard, std::move(batch));
  }
  WriteNext();
}

void LinkSession::SendBeat(const v1::LinkResponse& beat) {
  {
    MutexLock lock(mutex_);
    if (closing_) return;
    outbox_.SetBeat(beat);
  }
  WriteNext();
}

bool LinkSession::SendEphemeral(const std::string& event,
                                const std::vector<uint64_t>& channel_hashes,
                                const std::vector<std::string_view>& channels) {
  bool queued = false;
  {
    MutexLock lock(mutex_);
    if (closing_) return false;
    if (!interest_.ContainsAny(channel_hashes) && !interest_.MatchesAny(channels)) return false;
    queued = outbox_.AddEphemeral(event);
  }
  WriteNext();  // of what is dropped, too, the edge is told
  return queued;
}

void LinkSession::WriteNext() {
  bool finish = false;
  grpc::Status status;
  std::optional<MonoTime> held_until;
  {
    MutexLock lock(mutex_);
    if (writing_ || cancelling_ || finished_) return;
    if (closing_) {
      finished_ = finish = true;
      status = status_;
    } else if (std::optional<LinkOutbox::Out> next = outbox_.Next(clock_.Now()); next.has_value()) {
      writing_now_ = *std::move(next);
      writing_ = true;
    } else {
      held_until = outbox_.held_until();
      if (!held_until.has_value() || asked_) return;
      asked_ = true;
    }
  }
  if (held_until.has_value()) {
    pacer_.Ask(shared_from_this(), *held_until);
    return;
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
    taken = ok && writing_now_.last_piece;
    shard = writing_now_.shard;
    writing_now_ = {};
    if (!ok && !closing_) {
      closing_ = true;
      status_ = grpc::Status::OK;
    }
  }
  WriteNext();
  if (taken) handler_.OnBatchTaken(id_, shard);
}

void LinkSession::OnTurn() {
  {
    MutexLock lock(mutex_);
    asked_ = false;
  }
  WriteNext();
}

void LinkSession::Close(grpc::Status status) {
  bool stuck = false;
  {
    MutexLock lock(mutex_);
    if (closing_) return;
    closing_ = true;
    status_ = std::move(status);
    outbox_.Clear();
    stuck = cancelling_ = writing_;
  }
  if (stuck) {
    // A write that the edge does not take would hold up the end for ever. It may be done by now:
    // the call is not finished meanwhile, since its context ends with it.
    context_->TryCancel();
    MutexLock lock(mutex_);
    cancelling_ = false;
  }
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

void LinkSession::FillBeat(v1::Beat* beat) const {
  MutexLock lock(mutex_);
  beat->set_interest_sequence(interest_sequence_);
  for (const auto& states : states_) {
    for (const v1::ReaderBeat& state : states) *beat->add_readers() = state;
  }
}

uint64_t LinkSession::ephemeral_dropped() const {
  MutexLock lock(mutex_);
  return outbox_.ephemeral_dropped();
}

size_t LinkSession::queued_bytes() const {
  MutexLock lock(mutex_);
  return outbox_.queued_bytes();
}

}  // namespace spillway::ingest
