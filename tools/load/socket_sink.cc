#include "tools/load/socket_sink.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <optional>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "tools/load/client_codec.h"
#include "tools/load/client_token.h"
#include "tools/load/load_clock.h"

namespace spillway::load {
namespace {

constexpr int kPatienceMs = 5000;
constexpr int kLookMs = 50;  // after which the reader looks whether to stop
constexpr size_t kWriteAt = 64 * 1024;
constexpr uint32_t kMask = 0x5A5A5A5A;

// Waits for bytes until there is `what` in all that came; where it ends.
absl::StatusOr<size_t> ReadUntil(ClientSocket& socket, std::string_view what, std::string* in) {
  std::array<char, 4096> buffer;
  size_t at = 0;
  while ((at = in->find(what)) == std::string::npos) {
    pollfd readable{socket.fd(), POLLIN, 0};
    size_t got = 0;
    bool more = false;
    if (poll(&readable, 1, kPatienceMs) != 1 ||
        socket.Read(buffer.data(), buffer.size(), &got, &more) != ClientSocket::Status::kOk) {
      return absl::UnavailableError("the publisher's connection was not answered");
    }
    in->append(buffer.data(), got);
  }
  return at + what.size();
}

}  // namespace

absl::StatusOr<std::unique_ptr<SocketSink>> SocketSink::Create(const ClientOptions& options,
                                                               const Dialect& dialect) {
  if (dialect.Publish("c", "{}", 1).empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("clients of the dialect ", options.dialect, " cannot publish"));
  }
  if (options.targets.front().tls) {
    return absl::InvalidArgumentError("via=socket publishes without TLS only");
  }
  std::unique_ptr<SocketSink> sink(new SocketSink(dialect));
  for (size_t i = 0; i < std::max<size_t>(1, options.publishers); ++i) {
    sink->lines_.push_back(std::make_unique<Line>());
    const absl::Status status = Connect(options, dialect, i, sink->lines_.back().get());
    if (!status.ok()) return status;
  }
  sink->reader_ = std::thread([to = sink.get()] { to->ReadAll(); });
  return sink;
}

SocketSink::~SocketSink() {
  stop_.store(true, std::memory_order_relaxed);
  if (reader_.joinable()) reader_.join();
}

absl::Status SocketSink::Connect(const ClientOptions& options, const Dialect& dialect,
                                 size_t number, Line* line) {
  const Target& target = options.targets[number % options.targets.size()];
  if (!line->socket.Connect(target, 0, 0)) {
    return absl::UnavailableError(
        absl::StrCat("connect: ", std::generic_category().message(errno)));
  }
  pollfd writable{line->socket.fd(), POLLOUT, 0};
  if (poll(&writable, 1, kPatienceMs) != 1 || line->socket.ConnectError() != 0) {
    return absl::UnavailableError("the publisher cannot connect");
  }
  absl::StatusOr<std::string> token = ClientToken(options, number);
  if (!token.ok()) return token.status();
  const std::string path = Replaced(target.path, "i", absl::StrCat(number));
  line->socket.Write(UpgradeRequest(target.host, Replaced(path, "token", *token), false));
  const absl::StatusOr<size_t> head = ReadUntil(line->socket, "\r\n\r\n", &line->in);
  if (!head.ok()) return head.status();
  if (ReadUpgradeAnswer(line->in).status != UpgradeAnswer::Status::kAccepted) {
    return absl::UnavailableError(absl::StrCat("the publisher was refused: ", line->in));
  }
  line->in.erase(0, *head);
  for (const std::string& message : dialect.Hello({})) {
    AppendMaskedFrame(WsOpcode::kText, message, kMask, &line->out);
  }
  Write(*line);
  if (!dialect.greets()) return absl::OkStatus();
  return ReadUntil(line->socket, "connect", &line->in).status();
}

bool SocketSink::Publish(const Publication& publication) {
  Line& line = *lines_[publication.channel % lines_.size()];
  counters_.sent.fetch_add(1, std::memory_order_release);
  if (line.broken.load(std::memory_order_acquire)) {
    counters_.failed.fetch_add(1, std::memory_order_release);
    return true;
  }
  line.sent.fetch_add(1, std::memory_order_release);
  // The due time comes back with the answer: it is all that has to be known then.
  const std::string message = dialect_.Publish(publication.channel_name, publication.payload,
                                               static_cast<uint64_t>(publication.due_ns));
  AppendMaskedFrame(WsOpcode::kText, message, kMask, &line.out);
  if (!dialect_.answers_publications()) Confirmed(publication.due_ns, NowNs());
  if (!publication.more) {
    Flush();
  } else if (line.out.size() >= kWriteAt) {
    Write(line);
  }
  return true;
}

void SocketSink::Flush() {
  for (const auto& line : lines_) {
    if (line->ping.exchange(false, std::memory_order_relaxed)) {
      AppendMaskedFrame(WsOpcode::kText, dialect_.pong(), kMask, &line->out);
    }
    if (!line->out.empty()) Write(*line);
  }
}

void SocketSink::Write(Line& line) {
  const auto gone = [&line](ClientSocket::Status status) {
    if (status != ClientSocket::Status::kClosed) return false;
    line.broken.store(true, std::memory_order_release);
    return true;
  };
  // What does not fit waits in memory; the publisher holds still while there is too much.
  ClientSocket::Status status = line.socket.Write(line.out);
  line.out.clear();
  while (!gone(status) && status == ClientSocket::Status::kWait &&
         !line.broken.load(std::memory_order_acquire)) {
    pollfd writable{line.socket.fd(), POLLOUT, 0};
    poll(&writable, 1, 10);
    status = line.socket.Flush();
  }
}

void SocketSink::ReadAll() {
  std::vector<pollfd> waiting;
  while (!stop_.load(std::memory_order_relaxed)) {
    waiting.clear();
    for (const auto& line : lines_) {
      const bool broken = line->broken.load(std::memory_order_acquire);
      waiting.push_back({broken ? -1 : line->socket.fd(), POLLIN, 0});
    }
    if (poll(waiting.data(), waiting.size(), kLookMs) <= 0) continue;
    for (size_t i = 0; i < lines_.size(); ++i) {
      if (waiting[i].revents != 0) Read(*lines_[i]);
    }
  }
}

void SocketSink::Read(Line& line) {
  std::array<char, 16384> buffer;
  size_t got = 0;
  bool more = true;
  while (more) {
    const auto status = line.socket.Read(buffer.data(), buffer.size(), &got, &more);
    if (status == ClientSocket::Status::kClosed) line.broken.store(true, std::memory_order_release);
    if (status != ClientSocket::Status::kOk) break;
    line.in.append(buffer.data(), got);
  }
  size_t at = 0;
  while (true) {
    const ServerFrame frame = ReadServerFrame(line.in.data() + at, line.in.size() - at);
    if (frame.status == ServerFrame::Status::kMalformed) {
      line.broken.store(true, std::memory_order_release);
    }
    if (frame.status != ServerFrame::Status::kWhole) break;
    OnMessage(line, frame.payload);
    at += frame.size;
  }
  line.in.erase(0, at);
}

void SocketSink::OnMessage(Line& line, std::string_view message) {
  if (dialect_.Classify(message) == Dialect::Kind::kPing) {
    line.ping.store(true, std::memory_order_relaxed);
    return;
  }
  const std::optional<Dialect::PublishAnswer> answer = dialect_.ReadPublishAnswer(message);
  if (!answer) return;
  if (answer->published) {
    Confirmed(static_cast<int64_t>(answer->id), NowNs());
  } else {
    counters_.failed.fetch_add(1, std::memory_order_release);
    if (!told_) {
      std::fprintf(stderr, "spillway-load: publish: %.*s\n", static_cast<int>(message.size()),
                   message.data());
    }
    told_ = true;
  }
  line.answered.fetch_add(1, std::memory_order_release);
}

bool SocketSink::all_settled() const {
  return !dialect_.answers_publications() ||
         std::all_of(lines_.begin(), lines_.end(), [](const auto& line) {
           return line->broken.load(std::memory_order_acquire) ||
                  line->answered.load(std::memory_order_acquire) >=
                      line->sent.load(std::memory_order_acquire);
         });
}

void SocketSink::Finish(std::chrono::seconds timeout) {
  Flush();
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!all_settled() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  stop_.store(true, std::memory_order_relaxed);
  reader_.join();
  const uint64_t answered = counters_.confirmed.load() + counters_.failed.load();
  if (answered < counters_.sent.load()) {
    counters_.failed.fetch_add(counters_.sent.load() - answered);
  }
}

}  // namespace spillway::load
