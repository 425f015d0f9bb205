#include "services/edge/ws/connection_set.h"

#include <algorithm>
#include <utility>

namespace spillway::edge::ws {

ConnectionSet::ConnectionSet(EventLoop& loop, TimingWheel& wheel, WorkerCounters& counters,
                             const ConnectionOptions& options)
    : loop_(loop),
      wheel_(wheel),
      counters_(counters),
      options_(options),
      backlog_pool_(counters.backlog) {}

ConnectionSet::~ConnectionSet() = default;

void ConnectionSet::Add(std::unique_ptr<ByteStream> stream,
                        std::unique_ptr<TransportHandler> handler,
                        const std::optional<DeflateAgreement>& deflate, char* leftover,
                        size_t leftover_size, std::string_view answer) {
  const int fd = stream->fd();
  auto owned =
      std::make_unique<Connection>(*this, std::move(stream), std::move(handler), options_, deflate);
  Connection& connection = *owned;
  connections_.insert(std::move(owned));
  counters_.opened.Add();
  const bool watched = loop_.Watch(fd, &connection);
  connection.Open(answer, leftover, leftover_size);
  if (!watched) connection.Abort(kCloseInternalError);
  if (shut_down_) connection.Close(shut_down_->code, shut_down_reason_);
}

void ConnectionSet::CloseAll(const CloseCode& code, std::string_view reason) {
  ForEach([&](Connection& connection) { connection.Close(code.code, reason); });
}

void ConnectionSet::ShutDown(const CloseCode& code, std::string_view reason) {
  shut_down_ = code;
  shut_down_reason_ = reason;
  CloseAll(code, reason);
}

void ConnectionSet::AbortAll(const CloseCode& code) {
  ForEach([&](Connection& connection) { connection.Abort(code); });
}

void ConnectionSet::BeginTurn() {
  in_turn_ = true;
  telling_.swap(writable_);
  for (Connection* connection : telling_) connection->NotifyWritable();
  telling_.clear();
}

void ConnectionSet::EndTurn() {
  do {  // a handler that hears of an end may send to others
    FlushAll();
    scratch_.Release();
    SettleAll();
  } while (!dirty_.empty() || !attention_.empty());
  in_turn_ = false;
  if (!writable_.empty()) loop_.RequestTurn();
}

void ConnectionSet::FlushAll() {
  for (Connection* connection : dirty_) connection->Flush();
  dirty_.clear();
  scratch_.ClearNodes();
}

void ConnectionSet::SettleAll() {
  settling_.swap(attention_);
  for (Connection* connection : settling_) {
    if (!connection->Settle()) continue;
    // OnClosed queued nothing for itself (Send() is void by then), but may be listed from before.
    if (connection->writable_due_) std::erase(writable_, connection);
    if (connection->attention_) std::erase(attention_, connection);
    connections_.erase(connection);
    counters_.ended.Add();
  }
  settling_.clear();
}

void ConnectionSet::MarkDirty(Connection& connection) {
  if (connection.dirty_) return;
  connection.dirty_ = true;
  dirty_.push_back(&connection);
  NeedTurn();
}

void ConnectionSet::MarkAttention(Connection& connection) {
  if (connection.attention_) return;
  connection.attention_ = true;
  attention_.push_back(&connection);
  NeedTurn();
}

void ConnectionSet::MarkWritable(Connection& connection) {
  if (connection.writable_due_) return;
  connection.writable_due_ = true;
  writable_.push_back(&connection);
  NeedTurn();
}

void ConnectionSet::NeedTurn() {
  if (!in_turn_) loop_.RequestTurn();
}

}  // namespace spillway::edge::ws
