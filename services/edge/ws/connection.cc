#include "services/edge/ws/connection.h"

#include <string>
#include <utility>

#include "services/edge/frame/frame_header.h"
#include "services/edge/ws/connection_set.h"
#include "services/edge/ws/utf8.h"

namespace spillway::edge::ws {
namespace {

constexpr std::string_view kTooSlow = "too slow: read faster, or subscribe to less";
constexpr std::string_view kTookNothing = "too slow: nothing was read for too long";

}  // namespace

Connection::Connection(ConnectionSet& set, std::unique_ptr<ByteStream> stream,
                       std::unique_ptr<TransportHandler> handler, const ConnectionOptions& options,
                       const std::optional<DeflateAgreement>& deflate)
    : set_(set),
      options_(options),
      stream_(std::move(stream)),
      handler_(std::move(handler)),
      codec_(options.max_message_bytes, deflate.has_value()),
      deflate_window_bits_(static_cast<uint8_t>(deflate ? deflate->server_window_bits : 0)) {}

Connection::~Connection() {
  handler_.reset();  // while all of this is there still
  backlog_.Clear(set_.backlog_pool_);
}

void Connection::Open(std::string_view answer, char* leftover, size_t size) {
  if (!answer.empty()) {
    Ref<Frame> handshake = Frame::MakeHandshake(answer);
    Queue(*handshake, nullptr);
    set_.Keep(std::move(handshake));
  }
  handler_->OnOpen(this);
  if (size > 0 && state_ != State::kEnded) TakeInput(leftover, size);
}

// --- Input

void Connection::HandleReadable(char* buffer, size_t size) {
  if (state_ == State::kEnded) return;
  const IoResult result = stream_->Read(buffer, size);
  switch (result.status) {
    case IoResult::Status::kWouldBlock:
      return;
    case IoResult::Status::kEnd:
    case IoResult::Status::kError:
      return Lose();
    case IoResult::Status::kOk:
      set_.counters_.bytes_in.Add(result.bytes);
      TakeInput(buffer, result.bytes);
  }
}

void Connection::TakeInput(char* data, size_t size) {
  if (state_ == State::kFinishing) return;  // read only to see the end
  const auto failure = codec_.Feed(data, size, set_.inflater_, *this);
  if (!failure || state_ >= State::kFinishing) return;
  set_.counters_.protocol_errors.Add();
  if (failure->code == kCloseTooBig.code) set_.counters_.too_big.Add();
  // After our close frame nothing may follow, not even a better one.
  if (state_ == State::kOpen) QueueClose(failure->code, failure->reason);
  Finish(failure->code, failure->reason);
}

void Connection::OnMessage(std::string_view payload, bool text) {
  if (state_ != State::kOpen) return;
  set_.counters_.messages_in.Add();
  handler_->OnMessage(payload, text);
}

void Connection::OnPing(std::string_view payload) {
  if (state_ != State::kOpen || !handler_->OnPing()) return;
  Ref<Frame> pong = Frame::Make(Opcode::kPong, payload);
  Send(*pong, nullptr);
  set_.Keep(std::move(pong));
}

void Connection::OnPong(std::string_view) {
  if (state_ == State::kOpen) handler_->OnPong();
}

void Connection::OnClose(uint16_t code, std::string_view reason) {
  peer_closed_ = true;
  if (state_ == State::kOpen) QueueClose(code, {});  // the echo (section 5.5.1)
  if (state_ < State::kFinishing) Finish(code, reason);
}

// --- Output

bool Connection::ScratchIsFull(size_t more) const {
  return scratch_messages_ > 0 && (scratch_bytes_ + more > options_.backlog.bytes ||
                                   scratch_messages_ + 1 > options_.backlog.messages);
}

void Connection::Send(const Frame& frame, const ChannelTraits* traits) {
  if (state_ != State::kOpen) return;
  // A burst within one turn is no slowness: see what the kernel takes first.
  if (!blocked_ && ScratchIsFull(frame.bytes().size())) [[unlikely]] {
    FlushScratch();
    if (state_ != State::kOpen) return;
  }
  Queue(frame, traits);
}

void Connection::Queue(const Frame& frame, const ChannelTraits* traits) {
  if (blocked_) {
    if (!backlog_.Push(set_.backlog_pool_, options_.backlog, frame, traits)) {
      return FailSlow(kTooSlow);
    }
  } else {
    if (set_.scratch_.full()) [[unlikely]]
      set_.FlushAll();
    set_.scratch_.Append(scratch_, frame, traits);
    scratch_bytes_ += frame.bytes().size();
    ++scratch_messages_;
    set_.MarkDirty(*this);
  }
  was_high_ |= AboveLowWatermark();
}

void Connection::Keep(Ref<Frame> frame) { set_.Keep(std::move(frame)); }

void Connection::QueueClose(uint16_t code, std::string_view reason) {
  std::string payload;
  if (code != kCloseNoStatus.code) {
    payload.push_back(static_cast<char>(code >> 8));
    payload.push_back(static_cast<char>(code));
    payload += CutUtf8(reason, kMaxControlPayload - 2);
  }
  Ref<Frame> frame = Frame::Make(Opcode::kClose, payload);
  if (blocked_) {
    backlog_.PushLast(set_.backlog_pool_, *frame);
  } else {
    Queue(*frame, nullptr);
    set_.Keep(std::move(frame));
  }
}

void Connection::Flush() {
  dirty_ = false;
  if (state_ == State::kEnded) return;
  FlushScratch();
  AfterWrite();
}

void Connection::FlushScratch() {
  iovec pieces[kMaxPieces];
  uint32_t node = scratch_.head;
  while (node != SendScratch::kNone) {
    const uint32_t first = node;
    size_t count = 0;
    size_t frames = 0;
    size_t size = 0;
    for (; node != SendScratch::kNone && count < kMaxPieces; node = set_.scratch_.next(node)) {
      const Frame& frame = set_.scratch_.frame(node);
      const std::string_view bytes = frame.bytes();
      pieces[count++] = {const_cast<char*>(bytes.data()), bytes.size()};
      size += bytes.size();
      frames += frame.handshake() ? 0 : 1;
    }
    const IoResult result = stream_->Write(pieces, count);
    if (result.status == IoResult::Status::kError || result.status == IoResult::Status::kEnd) {
      return Lose();
    }
    CountWrite(result);
    if (result.bytes < size) {
      SetBlocked(true);
      KeepRest(first, result.bytes);
      break;
    }
    set_.counters_.frames_out.Add(frames);
  }
  ForgetScratch();
}

// Moves what was not taken, of the frames from `node` on, into the backlog.
void Connection::KeepRest(uint32_t node, size_t sent) {
  // What could not leave is no burst of this turn any more.
  scratch_bytes_ = scratch_messages_ = 0;
  bool given_up = false;
  for (; node != SendScratch::kNone; node = set_.scratch_.next(node)) {
    const Frame& frame = set_.scratch_.frame(node);
    const size_t size = frame.bytes().size();
    if (sent >= size) {
      sent -= size;
      if (!frame.handshake()) set_.counters_.frames_out.Add();
    } else if (backlog_.empty()) {
      // The stream may have begun it, also if it says that it took nothing of it.
      backlog_.PushStarted(set_.backlog_pool_, frame, std::exchange(sent, 0));
      backlog_.set_since(set_.wheel_.clock().Now());
    } else if (frame.opcode() == Opcode::kClose) {
      backlog_.PushLast(set_.backlog_pool_, frame);
    } else if (!given_up && !backlog_.Push(set_.backlog_pool_, options_.backlog, frame,
                                           set_.scratch_.traits(node))) {
      if (state_ == State::kOpen) return FailSlow(kTooSlow);
      given_up = true;  // it ends anyway: the close frame alone is left to say
      backlog_.DropUnstarted(set_.backlog_pool_);
    }
  }
  was_high_ |= AboveLowWatermark();
}

void Connection::HandleWritable() {
  if (state_ == State::kEnded) return;
  iovec pieces[kMaxPieces];
  while (const size_t count =
             backlog_.Gather(set_.backlog_pool_, options_.backlog, *this, pieces, kMaxPieces)) {
    size_t size = 0;
    for (size_t i = 0; i < count; ++i) size += pieces[i].iov_len;
    const IoResult result = stream_->Write(pieces, count);
    if (result.status == IoResult::Status::kError || result.status == IoResult::Status::kEnd) {
      return Lose();
    }
    CountWrite(result);
    const bool partly = result.bytes < size;
    set_.counters_.frames_out.Add(backlog_.Consume(set_.backlog_pool_, result.bytes, partly));
    if (result.bytes > 0 && state_ == State::kOpen) SetWriteTimeout();
    if (partly) break;
  }
  if (backlog_.empty()) SetBlocked(false);
  AfterWrite();
}

void Connection::CountWrite(const IoResult& result) {
  if (result.bytes == 0) {
    set_.counters_.write_stalls.Add();
    return;
  }
  set_.counters_.writes.Add();
  set_.counters_.bytes_out.Add(result.bytes);
}

void Connection::SetBlocked(bool blocked) {
  if (blocked_ == blocked) return;
  blocked_ = blocked;
  set_.loop_.WatchWrites(stream_->fd(), this, blocked);
  if (state_ != State::kOpen) return;
  if (blocked) {
    SetWriteTimeout();
  } else {
    timer_.Cancel();
  }
}

void Connection::SetWriteTimeout() {
  if (options_.write_timeout.count() > 0) set_.wheel_.Set(timer_, options_.write_timeout);
}

Ref<Frame> Connection::MakeGap(const ChannelTraits& channel, const LostEvents& lost) {
  return handler_ == nullptr ? Ref<Frame>() : handler_->EncodeGap(channel, lost);
}

void Connection::ForgetScratch() {
  scratch_ = {};
  scratch_bytes_ = 0;
  scratch_messages_ = 0;
}

std::chrono::milliseconds Connection::backlog_age() const {
  if (backlog_.empty()) return std::chrono::milliseconds(0);
  return std::chrono::duration_cast<std::chrono::milliseconds>(set_.wheel_.clock().Now() -
                                                               backlog_.since());
}

bool Connection::AboveLowWatermark() const {
  return backlog_bytes() > options_.backlog.bytes / 2 ||
         backlog_messages() > options_.backlog.messages / 2;
}

void Connection::AfterWrite() {
  if (was_high_ && !AboveLowWatermark()) {
    was_high_ = false;
    if (state_ == State::kOpen) set_.MarkWritable(*this);
  }
  if (state_ == State::kFinishing && backlog_messages() == 0) OutputDrained();
}

void Connection::NotifyWritable() {
  writable_due_ = false;
  if (state_ == State::kOpen) handler_->OnWritable();
}

// --- Ending

void Connection::Close(uint16_t code, std::string_view reason) {
  if (state_ != State::kOpen) return;
  QueueClose(code, reason);
  state_ = State::kClosing;
  outcome_code_ = code;
  outcome_reason_ = CutUtf8(reason, kMaxControlPayload - 2);
  set_.wheel_.Set(timer_, options_.close_timeout);
}

void Connection::FailSlow(std::string_view reason) {
  set_.counters_.slow_closes.Add();
  ForgetScratch();
  backlog_.DropUnstarted(set_.backlog_pool_);
  QueueClose(kCloseSlowConsumer.code, reason);
  Finish(kCloseSlowConsumer.code, reason);
}

void Connection::Finish(uint16_t code, std::string_view reason) {
  // An unblocked connection's timer runs only if it is the one of closing.
  if (state_ == State::kOpen || !timer_.pending()) set_.wheel_.Set(timer_, options_.close_timeout);
  state_ = State::kFinishing;
  outcome_code_ = code;
  outcome_reason_ = reason;
  // The handler, who makes them, is about to go; and nobody listens any more.
  if (backlog_.gaps() > 0) backlog_.DropUnstarted(set_.backlog_pool_);
  set_.MarkAttention(*this);
  if (backlog_messages() == 0) OutputDrained();
}

// All that was queued, close frame included, is the kernel's.
void Connection::OutputDrained() {
  if (peer_closed_) return End();
  // The peer may be sending still. Closing the socket now would reset it, and the close frame could
  // be lost; so tell it that nothing follows, and read until it is done, or the timeout.
  if (!write_shut_) stream_->ShutdownWrite();
  write_shut_ = true;
}

void Connection::OnTimeout() {
  if (state_ != State::kOpen) return End();
  set_.counters_.write_timeouts.Add();
  FailSlow(kTookNothing);
}

void Connection::Abort(const CloseCode& code) {
  if (state_ == State::kEnded) return;
  if (state_ == State::kOpen) {
    outcome_code_ = code.code;
    outcome_reason_ = code.name;
  }
  End();
}

// The peer is gone, without a close frame unless one came before.
void Connection::Lose() { End(); }

void Connection::End() {
  if (state_ == State::kEnded) return;
  state_ = State::kEnded;
  ForgetScratch();
  backlog_.Clear(set_.backlog_pool_);
  timer_.Cancel();
  set_.loop_.Unwatch(stream_->fd());
  set_.MarkAttention(*this);
}

bool Connection::Settle() {
  attention_ = false;
  if (handler_ != nullptr) {
    handler_->OnClosed(outcome_code_, outcome_reason_);
    handler_.reset();
  }
  return state_ == State::kEnded;
}

}  // namespace spillway::edge::ws
