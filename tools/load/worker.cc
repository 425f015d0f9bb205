#include "tools/load/worker.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tools/load/client_token.h"
#include "tools/load/load_clock.h"

namespace spillway::load {
namespace {

constexpr size_t kReadBuffer = 256 * 1024;
constexpr size_t kEvents = 512;
constexpr int kLongestWaitMs = 20;
constexpr double kNsPerSecond = 1e9;
constexpr int64_t kJournalEveryNs = 500'000'000;

}  // namespace

Worker::Worker(const ClientOptions& options, const Dialect& dialect, RunState& run, size_t number)
    : options_(options),
      run_(run),
      counters_(run.worker(number)),
      number_(number),
      clients_((options.clients + run.workers() - 1 - number) / run.workers()),
      journal_(MakeJournal(options, number, &journal_status_)),
      receiver_(options, dialect, run, counters_, clients_, journal_.get()),
      buffer_(kReadBuffer),
      events_(kEvents),
      random_(static_cast<uint32_t>(number) * 2654435761u + 1) {}

Worker::~Worker() {
  if (epoll_ >= 0) close(epoll_);
}

std::unique_ptr<Journal> Worker::MakeJournal(const ClientOptions& options, size_t number,
                                             absl::Status* status) {
  if (options.journal.empty()) return nullptr;
  absl::StatusOr<std::unique_ptr<Journal>> made =
      Journal::Create(absl::StrCat(options.journal, ".", number), static_cast<uint32_t>(number),
                      static_cast<uint32_t>(options.workers));
  *status = made.status();
  return made.ok() ? *std::move(made) : nullptr;
}

void Worker::JournalDue(int64_t now_ns) {
  if (now_ns < journal_due_ns_) return;
  journal_due_ns_ = now_ns + kJournalEveryNs;
  WriteJournal();
}

void Worker::WriteJournal() {
  if (journal_ == nullptr || journal_->Flush()) return;
  counters_.errors.Add(1);
  counters_.Problem("the journal could not be written");
}

absl::Status Worker::Init() {
  if (!journal_status_.ok()) return journal_status_;
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) {
    return absl::InternalError(absl::StrCat("epoll: ", std::generic_category().message(errno)));
  }
  for (const Target& target : options_.targets) {
    if (!target.tls) continue;
    absl::StatusOr<std::unique_ptr<TlsClient>> tls = TlsClient::Create(options_);
    if (!tls.ok()) return tls.status();
    tls_ = *std::move(tls);
    break;
  }
  if (!IsTokenPerClient(options_)) {
    absl::StatusOr<std::string> token = ClientToken(options_, 0);
    if (!token.ok()) return token.status();
    token_ = *std::move(token);
  }
  connections_.resize(clients_);
  began_ns_ = NowNs();
  counters_.process.store(getpid());
  counters_.thread.store(static_cast<int32_t>(syscall(SYS_gettid)));
  return absl::OkStatus();
}

absl::Status Worker::Run() {
  if (absl::Status status = Init(); !status.ok()) {
    counters_.Problem(std::string(status.message()));
    return status;
  }
  while (true) {
    const RunState::Phase phase = run_.phase().load(std::memory_order_acquire);
    if (phase == RunState::Phase::kCheck && !counters_.checked.load(std::memory_order_relaxed)) {
      CheckAll();
      counters_.checked.store(true, std::memory_order_release);
    }
    if (phase == RunState::Phase::kStop) return absl::OkStatus();
    if (phase == RunState::Phase::kRun) {
      Turn();
    } else {
      usleep(1000);
    }
  }
}

void Worker::Turn() {
  int64_t now = NowNs();
  OpenDue(now);
  ReopenDue(now);
  ChurnDue(now);
  WakeSlow(now);
  CutDue(now);
  JournalDue(now);
  const int count =
      epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), WaitMs(now));
  for (int i = 0; i < count; ++i) {
    Connection& connection = connections_[static_cast<size_t>(events_[i].data.u64)];
    if (connection.stage != Stage::kClosed) OnReady(connection, events_[i].events);
  }
}

int Worker::WaitMs(int64_t now_ns) const {
  // Connections that are due come within a turn that something else wakes, or a millisecond.
  if (opened_ < clients_ || options_.churn > 0 || (options_.cut_for > 0 && !cut_)) return 1;
  if (reopening_.empty()) return kLongestWaitMs;
  const int64_t ms = (reopening_.top().first - now_ns) / 1'000'000;
  return static_cast<int>(std::clamp<int64_t>(ms, 0, kLongestWaitMs));
}

void Worker::OpenDue(int64_t now_ns) {
  if (opened_ == clients_) return;
  const size_t workers = run_.workers();
  size_t due = clients_;
  if (options_.connect_rate > 0) {
    const double seconds = static_cast<double>(now_ns - began_ns_) / kNsPerSecond;
    due = std::min(clients_, 1 + static_cast<size_t>(seconds * options_.connect_rate /
                                                     static_cast<double>(workers)));
  }
  const size_t most = std::max<size_t>(1, options_.max_unfinished / workers);
  while (opened_ < due && unfinished_ < most) {
    counters_.opened.Add(1);
    Open(opened_++, true);
  }
}

void Worker::ReopenDue(int64_t now_ns) {
  while (!reopening_.empty() && reopening_.top().first <= now_ns) {
    const size_t index = reopening_.top().second;
    reopening_.pop();
    if (connections_[index].stage == Stage::kClosed) Open(index, false);
  }
}

void Worker::ChurnDue(int64_t now_ns) {
  const int64_t from = run_.published_from_ns().load(std::memory_order_relaxed);
  if (options_.churn <= 0 || now_ns < from || now_ns >= run_.published_to_ns()) return;
  const double rate = options_.churn / static_cast<double>(run_.workers());
  const auto due = static_cast<uint64_t>(static_cast<double>(now_ns - from) / kNsPerSecond * rate);
  for (size_t looked = 0; churned_ < due && looked < clients_; ++looked) {
    const size_t index = next_churn_;
    next_churn_ = (next_churn_ + 1) % clients_;
    Connection& connection = connections_[index];
    if (!connection.client.ready || connection.client.slow) continue;
    ++churned_;
    counters_.churned.Add(1);
    Close(connection, false);
    ++connection.moved;
    Open(index, false);
  }
}

void Worker::WakeSlow(int64_t now_ns) {
  if (options_.slow_share <= 0 || slow_over_) return;
  const int64_t published_from = run_.published_from_ns().load(std::memory_order_relaxed);
  if (published_from == INT64_MAX) return;
  const int64_t from = published_from + static_cast<int64_t>(options_.slow_after * kNsPerSecond);
  const int64_t to = from + static_cast<int64_t>(options_.slow_for * kNsPerSecond);
  const bool was = slow_now_;
  slow_now_ = now_ns >= from && now_ns < to;
  if (!was || slow_now_) return;
  slow_over_ = true;
  for (Connection& connection : connections_) {
    if (!connection.unread) continue;
    connection.unread = false;
    OnReady(connection, EPOLLIN | EPOLLRDHUP);
  }
}

void Worker::CutDue(int64_t now_ns) {
  if (cut_ || options_.cut_for <= 0) return;
  const int64_t published_from = run_.published_from_ns().load(std::memory_order_relaxed);
  if (published_from == INT64_MAX ||
      now_ns < published_from + static_cast<int64_t>(options_.cut_at * kNsPerSecond)) {
    return;
  }
  cut_ = true;
  const int64_t back = now_ns + static_cast<int64_t>(options_.cut_for * kNsPerSecond);
  for (Connection& connection : connections_) {
    if (connection.stage == Stage::kClosed) continue;
    counters_.churned.Add(1);
    Close(connection, false);
    OpenAgain(connection, back);
  }
}

size_t Worker::TargetOf(const Connection& connection) const {
  const uint64_t turn = connection.client.number + (options_.resume ? connection.moved : 0);
  return turn % options_.targets.size();
}

void Worker::Open(size_t index, bool from_start) {
  Connection& connection = connections_[index];
  const uint64_t number = NumberOf(index);
  receiver_.Begin(&connection.client, number, static_cast<uint32_t>(index), from_start);
  const Target& target = options_.targets[TargetOf(connection)];
  connection.client.began_ns = NowNs();
  connection.rest.reset();
  connection.unread = false;
  connection.stage = Stage::kConnecting;
  ++unfinished_;
  uint32_t source = 0;
  if (!options_.sources.empty()) {
    source = options_.sources[(number / options_.targets.size()) % options_.sources.size()];
  }
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u64 = index;
  if (!connection.socket.Connect(target, source,
                                 connection.client.slow ? options_.slow_buffer : 0) ||
      epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.socket.fd(), &event) != 0) {
    counters_.Problem(absl::StrCat("connect: ", std::generic_category().message(errno)));
    Close(connection, true);
  }
}

void Worker::OnReady(Connection& connection, uint32_t events) {
  bool alive = true;
  if (connection.stage != Stage::kOpen) alive = Proceed(connection);
  if (alive && connection.stage == Stage::kOpen) {
    if ((events & EPOLLOUT) != 0) {
      alive = connection.socket.Flush() != ClientSocket::Status::kClosed;
    }
    if (alive && !MayRead(connection)) {
      connection.unread = true;
    } else if (alive && (events & ~uint32_t{EPOLLOUT}) != 0) {
      alive = Read(connection, (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
    }
  }
  if (!alive) Close(connection, true);
}

bool Worker::Proceed(Connection& connection) {
  const uint64_t number = connection.client.number;
  const size_t target_index = TargetOf(connection);
  const Target& target = options_.targets[target_index];
  if (connection.stage == Stage::kConnecting) {
    if (const int error = connection.socket.ConnectError(); error != 0) {
      counters_.Problem(absl::StrCat("connect: ", std::generic_category().message(error)));
      return false;
    }
    if (target.tls) {
      ssl_st* const tls = tls_->New(connection.socket.fd(), target_index);
      if (tls == nullptr) return false;
      connection.socket.UseTls(tls);
    }
    connection.stage = Stage::kHandshake;
  }
  switch (connection.socket.Handshake()) {
    case ClientSocket::Status::kWait:
      return true;
    case ClientSocket::Status::kClosed:
      counters_.Problem(absl::StrCat("TLS: ", TlsClient::Error()));
      return false;
    case ClientSocket::Status::kOk:
      break;
  }
  connection.stage = Stage::kOpen;
  std::string token = token_;
  if (IsTokenPerClient(options_)) {
    absl::StatusOr<std::string> signed_token = ClientToken(options_, number);
    if (signed_token.ok()) token = *std::move(signed_token);
  }
  const std::string path =
      Replaced(Replaced(target.path, "i", absl::StrCat(number)), "token", token);
  const std::string request =
      UpgradeRequest(target.host, path, options_.deflate != DeflateMode::kOff);
  return connection.socket.Write(request) != ClientSocket::Status::kClosed;
}

bool Worker::Read(Connection& connection, bool to_the_end) {
  while (true) {
    size_t kept = 0;
    if (connection.rest != nullptr) {
      kept = connection.rest->size();
      // Room for what is kept and as much again: a frame larger than the buffer gets there in
      // steps.
      if (buffer_.size() < 2 * kept) buffer_.resize(2 * kept);
      std::memcpy(buffer_.data(), connection.rest->data(), kept);
    }
    size_t got = 0;
    bool more = false;
    switch (connection.socket.Read(buffer_.data() + kept, buffer_.size() - kept, &got, &more)) {
      case ClientSocket::Status::kWait:
        return true;
      case ClientSocket::Status::kClosed:
        return false;
      case ClientSocket::Status::kOk:
        break;
    }
    counters_.bytes.Add(got);
    counters_.reads.Add(1);
    if (!Take(connection, kept + got)) return false;
    if (!more && !to_the_end) return true;
  }
}

bool Worker::Take(Connection& connection, size_t size) {
  const bool was_open = connection.client.open;
  const std::string_view bytes(buffer_.data(), size);
  const int64_t used = receiver_.Take(&connection.client, bytes, NowNs(), &out_);
  if (!was_open && connection.client.open) --unfinished_;
  bool alive = used >= 0;
  if (alive && !out_.empty()) {
    alive = connection.socket.Write(out_) != ClientSocket::Status::kClosed;
  }
  out_.clear();
  if (!alive) return false;
  const std::string_view rest = bytes.substr(static_cast<size_t>(used));
  if (rest.empty()) {
    connection.rest.reset();
  } else if (connection.rest != nullptr) {
    connection.rest->assign(rest);
  } else {
    connection.rest = std::make_unique<std::string>(rest);
  }
  return true;
}

void Worker::Close(Connection& connection, bool lost) {
  if (connection.stage == Stage::kClosed) return;
  if (!connection.client.open) --unfinished_;
  if (connection.client.ready) counters_.ready.Sub(1);
  connection.stage = Stage::kClosed;
  connection.client.ready = false;
  connection.client.open = false;
  connection.rest.reset();
  connection.socket.Close();
  if (!lost) return;
  counters_.closed.Add(1);
  if (options_.reconnect > 0) OpenAgain(connection, NowNs());
}

void Worker::OpenAgain(Connection& connection, int64_t from_ns) {
  ++connection.moved;
  random_ = random_ * 1664525 + 1013904223;
  const double wait = options_.reconnect * static_cast<double>(random_) / 4294967296.0;
  reopening_.emplace(from_ns + static_cast<int64_t>(wait * kNsPerSecond),
                     static_cast<size_t>(&connection - connections_.data()));
}

void Worker::CheckAll() {
  for (const Connection& connection : connections_) receiver_.Check(connection.client);
  WriteJournal();
}

}  // namespace spillway::load
