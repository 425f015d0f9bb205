#pragma once

#include <sys/epoll.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/base/clock.h"
#include "tools/load/client_socket.h"
#include "tools/load/dialect.h"
#include "tools/load/receiver.h"
#include "tools/load/run_state.h"
#include "tools/load/tls_client.h"

namespace spillway::load {

// One thread of clients: an edge-triggered epoll set and every `workers`-th client of the run.
// Opens connections at its share of the pace, reads, answers, and lets some of them be slow or go.
class Worker {
 public:
  // All must outlive it.
  Worker(const ClientOptions& options, const Dialect& dialect, RunState& run, size_t number);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Until the run's phase is kStop. An error before anything was opened.
  absl::Status Run();

 private:
  enum class Stage : uint8_t { kConnecting, kHandshake, kOpen, kClosed };

  struct Connection {
    ClientState client;
    ClientSocket socket;
    std::unique_ptr<std::string> rest;  // of an incomplete frame
    Stage stage = Stage::kClosed;
    bool unread = false;  // something came while it was not reading
    uint32_t moved = 0;   // how often it went on to the next target
  };

  absl::Status Init();
  static std::unique_ptr<Journal> MakeJournal(const ClientOptions& options, size_t number,
                                              absl::Status* status);
  void JournalDue(int64_t now_ns);
  void WriteJournal();
  void Turn();
  void OpenDue(int64_t now_ns);
  void ChurnDue(int64_t now_ns);
  void ReopenDue(int64_t now_ns);
  void WakeSlow(int64_t now_ns);
  void CutDue(int64_t now_ns);
  size_t TargetOf(const Connection& connection) const;
  int WaitMs(int64_t now_ns) const;

  uint64_t NumberOf(size_t index) const { return number_ + index * run_.workers(); }
  void Open(size_t index, bool from_start);
  void OnReady(Connection& connection, uint32_t events);
  bool Proceed(Connection& connection);  // of connecting and handshakes; false: close it
  bool Read(Connection& connection, bool to_the_end);
  bool Take(Connection& connection, size_t size);
  // `lost`: without our wish.
  void Close(Connection& connection, bool lost);
  // Opens it again at `from_ns` or within the time that reconnecting may take.
  void OpenAgain(Connection& connection, int64_t from_ns);
  bool MayRead(const Connection& connection) const { return !connection.client.slow || !slow_now_; }
  void CheckAll();

  const ClientOptions& options_;
  RunState& run_;
  WorkerState& counters_;
  const size_t number_;
  const size_t clients_;  // of this worker
  absl::Status journal_status_;
  std::unique_ptr<Journal> journal_;  // none if it could not be made, as journal_status_ says
  Receiver receiver_;
  int64_t journal_due_ns_ = 0;  // when to write what it holds
  std::unique_ptr<TlsClient> tls_;
  std::string token_;  // signed once, where it is the same for all
  int epoll_ = -1;
  std::vector<Connection> connections_;
  std::vector<char> buffer_;
  std::vector<epoll_event> events_;
  std::string out_;
  size_t opened_ = 0;
  size_t unfinished_ = 0;  // connections that are neither open nor closed
  int64_t began_ns_ = 0;
  bool slow_now_ = false;
  bool slow_over_ = false;
  bool cut_ = false;
  uint64_t churned_ = 0;
  size_t next_churn_ = 0;
  // Connections to open again: when, and which.
  using Reopening = std::pair<int64_t, size_t>;
  std::priority_queue<Reopening, std::vector<Reopening>, std::greater<>> reopening_;
  uint32_t random_;
};

}  // namespace spillway::load
