// spillway-echo: a WebSocket echo server on the edge's data plane, for conformance tests of it.
// Prints its port as one line, and serves until SIGTERM or SIGINT.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "services/edge/frame/compressor.h"
#include "services/edge/frame/frame.h"
#include "services/edge/net/io_pool.h"
#include "services/edge/session/acceptor.h"
#include "services/edge/ws/connection.h"

namespace spillway::edge {
namespace {

constexpr size_t kMaxMessage = 16 * 1024 * 1024;

struct Flags {
  uint16_t port = 0;
  size_t workers = 1;
  bool compress = false;
};

constexpr char kUsage[] =
    "usage: spillway-echo [--port N] [--workers N] [--compress]\n"
    "Echoes every WebSocket message of up to 16 MiB on 127.0.0.1. --port 0, the default, takes "
    "any\n"
    "free port; the port is printed. --compress offers permessage-deflate, and compresses for\n"
    "clients that ask for it.\n";

// As the edge compresses: with its compressor, and only what becomes smaller by it.
Ref<Frame> Compressed(Ref<Frame> plain, int window_bits) {
  const int bits = window_bits >= Compressor::kWideWindowBits ? Compressor::kWideWindowBits
                                                              : Compressor::kNarrowWindowBits;
  Ref<Frame> frame =
      Compressor::OfThisThread(CompressionOptions::kDefaultLevel).Compress(*plain, bits);
  return frame ? frame : plain;
}

class Echo final : public TransportHandler {
 public:
  void OnOpen(Transport* transport) override {
    connection_ = static_cast<ws::Connection*>(transport);  // nothing else opens handlers here
  }
  void OnMessage(std::string_view payload, bool text) override {
    const Opcode opcode = text ? Opcode::kText : Opcode::kBinary;
    Ref<Frame> frame = Frame::Make(opcode, payload);
    if (connection_->compresses()) {
      frame = Compressed(std::move(frame), connection_->deflate_window_bits());
    }
    connection_->Send(*frame, nullptr);
    connection_->Keep(std::move(frame));
  }
  void OnPong() override {}
  void OnWritable() override {}
  void OnClosed(uint16_t, std::string_view) override {}

 private:
  ws::Connection* connection_ = nullptr;
};

class EchoAcceptor final : public Acceptor {
 public:
  UpgradeDecision OnUpgrade(const http::Request&, size_t) override {
    UpgradeDecision decision;
    decision.handler = std::make_unique<Echo>();
    return decision;
  }
};

bool ParseFlags(int argc, char** argv, Flags* flags) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--compress") {
      flags->compress = true;
      continue;
    }
    if (i + 1 >= argc) return false;
    char* end = nullptr;
    const unsigned long value = std::strtoul(argv[++i], &end, 10);
    if (*end != '\0' || end == argv[i]) return false;
    if (flag == "--port" && value <= 65535) {
      flags->port = static_cast<uint16_t>(value);
    } else if (flag == "--workers" && value >= 1 && value <= 256) {
      flags->workers = value;
    } else {
      return false;
    }
  }
  return true;
}

int Run(const Flags& flags) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // before the threads, which inherit it

  net::WorkerOptions options;
  options.connection.max_message_bytes = kMaxMessage;
  options.connection.backlog.bytes = 4 * kMaxMessage;
  options.connection.backlog.messages = 1 << 20;
  options.deflate = flags.compress;
  EchoAcceptor acceptor;
  net::IoPool pool(flags.workers, options, Clock::Real());
  const auto port = pool.Listen("127.0.0.1", flags.port, net::HttpRoutes(), acceptor);
  if (!port.ok()) {
    std::fprintf(stderr, "spillway-echo: %s\n", port.status().ToString().c_str());
    return 1;
  }
  pool.Start();
  std::printf("%d\n", *port);
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  pool.Stop(std::chrono::seconds(2));
  return 0;
}

}  // namespace
}  // namespace spillway::edge

int main(int argc, char** argv) {
  spillway::edge::Flags flags;
  if (!spillway::edge::ParseFlags(argc, argv, &flags)) {
    std::fputs(spillway::edge::kUsage, stderr);
    return 2;
  }
  return spillway::edge::Run(flags);
}
