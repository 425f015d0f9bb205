// Correlation ids as callers give them, in lines: x-correlation-id, x-request-id, traceparent. What
// is taken goes into headers, lines of logs and metadata as it is.

#include <algorithm>

#include "common/base/correlation_id.h"
#include "fuzz/input.h"

using spillway::fuzz::Require;

namespace {

bool IsPlain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != ',' && c != ';' && c != '%' &&
           c != '<' && c != '{';
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  spillway::fuzz::Input input(data, size);
  const std::string_view own = input.TakeLine();
  const std::string_view request = input.TakeLine();
  const std::string_view trace = input.TakeRest();
  const std::string_view trace_id = spillway::TraceIdOf(trace);
  if (!trace_id.empty()) {
    Require(trace_id.size() == 32 && trace.find(trace_id) == 3, "a trace id is in its place");
    Require(trace_id.find_first_not_of("0123456789abcdef") == std::string_view::npos, "its form");
    Require(spillway::IsCorrelationId(trace_id), "a trace id may be given");
  }
  const std::string_view given = spillway::GivenCorrelationId([&](std::string_view name) {
    if (name == "x-correlation-id") return own;
    return name == "x-request-id" ? request : trace;
  });
  if (given.empty()) {
    Require(!spillway::IsCorrelationId(own) && !spillway::IsCorrelationId(request), "none fits");
    return 0;
  }
  Require(given.size() <= spillway::kMaxCorrelationBytes && IsPlain(given), "it can be shown");
  Require(given == own || given == request || given == trace_id, "it was given");
  if (spillway::IsCorrelationId(own)) Require(given == own, "its own header goes first");
  return 0;
}
