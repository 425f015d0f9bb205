// What a client costs the edge's CPU until it is subscribed, without the kernel's part.

#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "common/auth/claims.h"
#include "services/edge/net/request_parser.h"
#include "services/edge/ws/handshake.h"
#include "tests/unit/services/edge/app/silent_worker.h"

namespace spillway::edge {
namespace {

using test_support::SilentWorker;
using test_support::WrittenAway;

void ParseRequest(benchmark::State& state) {
  const std::string text =
      "GET /ws?token=" + SilentWorker::TokenOf("user-1") +
      " HTTP/1.1\r\nHost: edge.example:8080\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Origin: https://www.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  for (auto _ : state) {
    net::RequestParser parser({.header_bytes = 16384, .body_bytes = 65536});
    size_t consumed = 0;
    benchmark::DoNotOptimize(parser.Feed(text.data(), text.size(), &consumed));
    benchmark::DoNotOptimize(parser.request().path);
  }
}
BENCHMARK(ParseRequest);

void VerifyToken(benchmark::State& state) {
  SilentWorker worker(Clock::Real());
  const std::string token = SilentWorker::TokenOf("user-1");
  for (auto _ : state) benchmark::DoNotOptimize(worker.verifier().Verify(token).ok());
}
BENCHMARK(VerifyToken);

void ParseClaims(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(auth::Claims::Parse(
        R"({"sub":"user-1","exp":1900000000,"iss":"auth.example","aud":["edge"]})"));
  }
}
BENCHMARK(ParseClaims);

void AnswerHandshake(benchmark::State& state) {
  const http::Request request = SilentWorker::RequestOf("user-1");
  for (auto _ : state) {
    benchmark::DoNotOptimize(ws::CheckUpgrade(request, true));
    benchmark::DoNotOptimize(
        ws::SwitchingProtocols(request.Header("sec-websocket-key"), "", "", std::nullopt));
  }
}
BENCHMARK(AnswerHandshake);

void Admit(benchmark::State& state) {
  SilentWorker worker(Clock::Real());
  const http::Request request = SilentWorker::RequestOf("user-1");
  for (auto _ : state) benchmark::DoNotOptimize(worker.acceptor().OnUpgrade(request, 0).handler);
}
BENCHMARK(Admit);

// Admitted, connected, subscribed, gone.
void Visit(benchmark::State& state) {
  SilentWorker worker(Clock::Real());
  const http::Request request = SilentWorker::RequestOf("user-1");
  worker.Connect(SilentWorker::RequestOf("stays"), std::make_unique<WrittenAway>(),
                 SilentWorker::SubscribeTo(1));
  worker.Cover(1);
  for (auto _ : state) {
    worker.Abort(
        worker.Connect(request, std::make_unique<WrittenAway>(), SilentWorker::SubscribeTo(1)));
  }
}
BENCHMARK(Visit);

}  // namespace
}  // namespace spillway::edge

BENCHMARK_MAIN();
