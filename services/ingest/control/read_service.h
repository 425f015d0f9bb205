#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "common/base/mutex.h"
#include "services/ingest/link/link_hub.h"
#include "spillway/v1/read.grpc.pb.h"

namespace spillway::ingest {

// Snapshots and history: asks the shards that hold the slots, puts their answers together and
// streams them in pieces. Bounded: at most max_reads at a time, more are told RESOURCE_EXHAUSTED;
// one piece is in flight for each, the rest waits as shared bytes of the shard's tables.
// Thread-safe; the app owns it and ends the server before it.
class ReadService final
    : public v1::ReadService::WithRawCallbackMethod_Snapshot<
          v1::ReadService::WithRawCallbackMethod_History<v1::ReadService::Service>>,
      public ReadSink {
 public:
  struct Options {
    std::string node_id;
    size_t max_reads = 4096;
    size_t piece_bytes = 512 << 10;
  };

  ReadService(Options options, ShardSet& shards);
  ~ReadService() override;

  grpc::ServerWriteReactor<grpc::ByteBuffer>* Snapshot(grpc::CallbackServerContext* context,
                                                       const grpc::ByteBuffer* buffer) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* History(grpc::CallbackServerContext* context,
                                                      const grpc::ByteBuffer* buffer) override;

  // ReadSink, on the shards' threads.
  void ReadDone(uint64_t read_id, size_t shard, ReadResult result) override;

  uint64_t reads() const { return reads_total_.load(std::memory_order_relaxed); }
  uint64_t failed() const { return failed_.load(std::memory_order_relaxed); }

 private:
  class Call;

  template <typename Ask>
  grpc::ServerWriteReactor<grpc::ByteBuffer>* Start(bool parsed, const std::string& node_id,
                                                    size_t shards, Ask ask);
  void Forget(uint64_t read_id);

  const Options options_;
  ShardSet& shards_;
  std::atomic<uint64_t> reads_total_{0};
  std::atomic<uint64_t> failed_{0};
  Mutex mutex_;
  absl::flat_hash_map<uint64_t, std::shared_ptr<Call>> calls_ SPILLWAY_GUARDED_BY(mutex_);
  uint64_t next_read_ SPILLWAY_GUARDED_BY(mutex_) = 1;
};

}  // namespace spillway::ingest
