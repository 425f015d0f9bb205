#include "services/ingest/control/read_service.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

namespace spillway::ingest {
namespace {

template <typename Message>
bool Parse(const grpc::ByteBuffer& buffer, Message* message) {
  grpc::Slice slice;
  return buffer.DumpToSingleSlice(&slice).ok() &&
         message->ParseFromArray(slice.begin(), static_cast<int>(slice.size()));
}

grpc::Status ErrorStatus(const std::string& code) {
  if (code == "timeout") {
    return {grpc::StatusCode::DEADLINE_EXCEEDED,
            "the ingest has not reached the position asked for"};
  }
  return {grpc::StatusCode::FAILED_PRECONDITION, code};
}

}  // namespace

// One read under way. Kept alive by the service's table until all shards have answered, and by
// itself until gRPC is done with it.
class ReadService::Call final : public grpc::ServerWriteReactor<grpc::ByteBuffer>,
                                public std::enable_shared_from_this<ReadService::Call> {
 public:
  Call(ReadService& service, uint64_t id, size_t shards)
      : service_(service), id_(id), waiting_(shards) {}

  void KeepAlive() {
    // Locked, like OnDone: gRPC orders the two, where ThreadSanitizer cannot see it.
    MutexLock lock(mutex_);
    self_ = shared_from_this();
  }
  uint64_t id() const { return id_; }

  void Take(ReadResult result) {
    {
      MutexLock lock(mutex_);
      if (!result.error.empty() && error_.empty()) error_ = result.error;
      for (auto& event : result.events) events_.push_back(std::move(event));
      for (auto& as_of : result.as_of) *summary_.add_as_of() = as_of;
      for (auto& gap : result.gaps) *summary_.add_gaps() = gap;
      for (const v1::Verdict verdict : result.verdicts) summary_.add_verdicts(verdict);
      summary_.set_since_us(std::max<int64_t>(summary_.since_us(), result.since_us));
      complete_ = complete_ && result.complete;
      if (--waiting_ > 0) return;
    }
    service_.Forget(id_);
    Next();
  }

  void OnWriteDone(bool ok) override {
    if (ok) {
      Next();
      return;
    }
    {
      MutexLock lock(mutex_);
      writing_ = false;
    }
    End(grpc::Status::CANCELLED);
  }
  void OnCancel() override {
    service_.Forget(id_);
    End(grpc::Status::CANCELLED);
  }
  void OnDone() override {
    std::shared_ptr<Call> self;
    {
      MutexLock lock(mutex_);
      self = std::move(self_);
    }
  }

  void End(const grpc::Status& status) {
    {
      MutexLock lock(mutex_);
      // gRPC forbids Finish beside a write; a cancelled call's OnWriteDone(false) comes here again.
      if (ended_ || writing_) return;
      ended_ = true;
    }
    if (!status.ok() && status.error_code() != grpc::StatusCode::CANCELLED) ++service_.failed_;
    Finish(status);
  }

 private:
  // Writes the next piece, or ends the call after the last one.
  void Next() {
    std::string bytes;
    grpc::Status status;
    bool end = false;
    {
      MutexLock lock(mutex_);
      writing_ = false;
      if (ended_) return;
      if (!error_.empty() || done_) {
        end = true;
        status = error_.empty() ? grpc::Status::OK : ErrorStatus(error_);
      } else {
        while (next_ < events_.size() && bytes.size() < service_.options_.piece_bytes) {
          bytes += *events_[next_];
          events_[next_++].reset();
        }
        if (next_ == events_.size()) {
          summary_.set_last(true);
          summary_.set_complete(complete_);
          summary_.AppendToString(&bytes);
          done_ = true;
        }
        const grpc::Slice slice(bytes);
        piece_ = grpc::ByteBuffer(&slice, 1);
        writing_ = true;
      }
    }
    if (end) {
      End(status);
      return;
    }
    StartWrite(&piece_);
  }

  ReadService& service_;
  const uint64_t id_;
  grpc::ByteBuffer piece_;  // by whoever set writing_
  Mutex mutex_;
  std::shared_ptr<Call> self_ SPILLWAY_GUARDED_BY(mutex_);
  size_t waiting_ SPILLWAY_GUARDED_BY(mutex_);
  std::string error_ SPILLWAY_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<const std::string>> events_ SPILLWAY_GUARDED_BY(mutex_);
  size_t next_ SPILLWAY_GUARDED_BY(mutex_) = 0;
  v1::ReadResponse summary_ SPILLWAY_GUARDED_BY(mutex_);
  bool complete_ SPILLWAY_GUARDED_BY(mutex_) = true;
  bool done_ SPILLWAY_GUARDED_BY(mutex_) = false;
  bool writing_ SPILLWAY_GUARDED_BY(mutex_) = false;
  bool ended_ SPILLWAY_GUARDED_BY(mutex_) = false;
};

ReadService::ReadService(Options options, ShardSet& shards)
    : options_(std::move(options)), shards_(shards) {}

ReadService::~ReadService() = default;

template <typename Ask>
grpc::ServerWriteReactor<grpc::ByteBuffer>* ReadService::Start(bool parsed,
                                                               const std::string& node_id,
                                                               size_t shards, Ask ask) {
  ++reads_total_;
  grpc::Status refusal;
  if (!parsed) {
    refusal = {grpc::StatusCode::INVALID_ARGUMENT, "the request cannot be parsed"};
  } else if (node_id != options_.node_id) {
    refusal = {grpc::StatusCode::FAILED_PRECONDITION,
               "slot numbers belong to the ingest that gave them; this is another one"};
  } else if (shards == 0) {
    refusal = {grpc::StatusCode::INVALID_ARGUMENT, "name at least one slot"};
  }
  std::shared_ptr<Call> call;
  {
    MutexLock lock(mutex_);
    if (refusal.ok() && calls_.size() >= options_.max_reads) {
      refusal = {grpc::StatusCode::RESOURCE_EXHAUSTED, "too many reads at a time"};
    }
    call = std::make_shared<Call>(*this, next_read_++, shards);
    if (refusal.ok()) calls_[call->id()] = call;
  }
  call->KeepAlive();
  Call* const reactor = call.get();
  if (refusal.ok()) {
    ask(reactor->id());
  } else {
    reactor->End(refusal);
  }
  return reactor;
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* ReadService::Snapshot(grpc::CallbackServerContext*,
                                                                  const grpc::ByteBuffer* buffer) {
  v1::SnapshotRequest request;
  const bool parsed = Parse(*buffer, &request);
  std::map<size_t, std::vector<v1::SlotOffset>> by_shard;
  for (const v1::SlotOffset& slot : request.not_before()) {
    by_shard[shards_.ShardOf(slot.slot())].push_back(slot);
  }
  return Start(parsed, request.node_id(), by_shard.size(), [&](uint64_t id) {
    for (auto& [shard, slots] : by_shard) {
      shards_.Post(shard, [id, channel = request.channel(), slots = std::move(slots)](
                              ShardCore& core, MonoTime now) {
        core.ReadSnapshot(id, channel, slots, now);
      });
    }
  });
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* ReadService::History(grpc::CallbackServerContext*,
                                                                 const grpc::ByteBuffer* buffer) {
  v1::HistoryRequest request;
  const bool parsed = Parse(*buffer, &request);
  struct Slots {
    std::vector<v1::SlotOffset> after, not_before;
    std::vector<v1::Claim> claims;
  };
  std::map<size_t, Slots> by_shard;
  for (const v1::SlotOffset& slot : request.after()) {
    by_shard[shards_.ShardOf(slot.slot())].after.push_back(slot);
  }
  for (const v1::SlotOffset& slot : request.not_before()) {
    by_shard[shards_.ShardOf(slot.slot())].not_before.push_back(slot);
  }
  const bool judge = !request.claims().empty();
  if (judge) by_shard.clear();
  for (const v1::Claim& claim : request.claims()) {
    by_shard[shards_.ShardOf(claim.slot())].claims.push_back(claim);
  }
  return Start(parsed, request.node_id(), by_shard.size(), [&](uint64_t id) {
    for (auto& [shard, slots] : by_shard) {
      shards_.Post(shard, [id, judge, channel = request.channel(), slots = std::move(slots)](
                              ShardCore& core, MonoTime now) {
        if (judge) return core.Judge(id, slots.claims, now);
        core.ReadHistory(id, channel, slots.after, slots.not_before, now);
      });
    }
  });
}

void ReadService::ReadDone(uint64_t read_id, size_t, ReadResult result) {
  std::shared_ptr<Call> call;
  {
    MutexLock lock(mutex_);
    const auto found = calls_.find(read_id);
    if (found == calls_.end()) return;  // cancelled
    call = found->second;
  }
  call->Take(std::move(result));
}

void ReadService::Forget(uint64_t read_id) {
  MutexLock lock(mutex_);
  calls_.erase(read_id);
}

}  // namespace spillway::ingest
