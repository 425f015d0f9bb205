#include "tools/load/socket_sink.h"

#include <poll.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "tools/load/client_codec.h"
#include "tools/load/client_token.h"
#include "tools/load/load_clock.h"

namespace spillway::load {
namespace {

constexpr int kPatienceMs = 5000;
constexpr size_t kWriteAt = 64 * 1024;
constexpr uint32_t kMask = 0x5A5A5A5A;

}  // namespace

SocketSink::SocketSink(const Dialect& dialect) : dialect_(dialect) {}

absl::StatusOr<std::unique_ptr<SocketSink>> SocketSink::Create(const ClientOptions& options,
                                                               const Dialect& dialect) {
  if (dialect.Publish("c", "{}").empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("clients of the dialect ", options.dialect, " cannot publish"));
  }
  if (options.targets.front().tls) {
    return absl::InvalidArgumentError("via=socket publishes without TLS only");
  }
  std::unique_ptr<SocketSink> sink(new SocketSink(dialect));
  const absl::Status status = sink->Connect(options);
  if (!status.ok()) return status;
  return sink;
}

absl::Status SocketSink::Connect(const ClientOptions& options) {
  const Target& target = options.targets.front();
  if (!socket_.Connect(target, 0, 0)) {
    return absl::UnavailableError(
        absl::StrCat("connect: ", std::generic_category().message(errno)));
  }
  pollfd writable{socket_.fd(), POLLOUT, 0};
  if (poll(&writable, 1, kPatienceMs) != 1 || socket_.ConnectError() != 0) {
    return absl::UnavailableError("the publisher cannot connect");
  }
  absl::StatusOr<std::string> token = ClientToken(options, 0);
  if (!token.ok()) return token.status();
  socket_.Write(UpgradeRequest(target.host,
                               Replaced(Replaced(target.path, "i", "0"), "token", *token), false));
  if (absl::Status status = ReadUntil("\r\n\r\n"); !status.ok()) return status;
  if (ReadUpgradeAnswer(in_).status != UpgradeAnswer::Status::kAccepted) {
    return absl::UnavailableError(absl::StrCat("the publisher was refused: ", in_));
  }
  for (const std::string& message : dialect_.Hello({})) {
    AppendMaskedFrame(WsOpcode::kText, message, kMask, &out_);
  }
  Flush();
  return dialect_.greets() ? ReadUntil("connect") : absl::OkStatus();
}

absl::Status SocketSink::ReadUntil(std::string_view what) {
  std::array<char, 4096> buffer;
  while (in_.find(what) == std::string::npos) {
    pollfd readable{socket_.fd(), POLLIN, 0};
    size_t got = 0;
    bool more = false;
    if (poll(&readable, 1, kPatienceMs) != 1 ||
        socket_.Read(buffer.data(), buffer.size(), &got, &more) != ClientSocket::Status::kOk) {
      return absl::UnavailableError("the publisher's connection was not answered");
    }
    in_.append(buffer.data(), got);
  }
  return absl::OkStatus();
}

bool SocketSink::Publish(const Publication& publication) {
  counters_.sent.fetch_add(1, std::memory_order_release);
  if (broken_) {
    counters_.failed.fetch_add(1, std::memory_order_release);
    return true;
  }
  AppendMaskedFrame(WsOpcode::kText,
                    dialect_.Publish(publication.channel_name, publication.payload), kMask, &out_);
  Confirmed(publication.due_ns, NowNs());
  if (!publication.more || out_.size() >= kWriteAt) Flush();
  return true;
}

void SocketSink::Flush() {
  if (!broken_) {
    Discard();
    // What does not fit waits in memory; the publisher holds still while there is too much.
    broken_ = broken_ || socket_.Write(out_) == ClientSocket::Status::kClosed;
    while (!broken_) {
      const ClientSocket::Status status = socket_.Flush();
      broken_ = status == ClientSocket::Status::kClosed;
      if (status != ClientSocket::Status::kWait) break;
      pollfd writable{socket_.fd(), POLLOUT | POLLIN, 0};
      poll(&writable, 1, 10);
      Discard();
    }
  }
  out_.clear();
}

void SocketSink::Discard() {
  std::array<char, 16384> buffer;
  size_t got = 0;
  bool more = true;
  while (more && !broken_) {
    const ClientSocket::Status status = socket_.Read(buffer.data(), buffer.size(), &got, &more);
    broken_ = status == ClientSocket::Status::kClosed;
    if (status != ClientSocket::Status::kOk) break;
  }
}

void SocketSink::Finish(std::chrono::seconds) { Flush(); }

}  // namespace spillway::load
