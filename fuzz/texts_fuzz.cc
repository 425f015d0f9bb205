// Short texts of clients and records: addresses, networks, targets, times. One each line.

#include "common/http/target.h"
#include "common/net/ip_address.h"
#include "fuzz/input.h"
#include "services/ingest/normalise/event_time.h"

using spillway::fuzz::Require;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  spillway::fuzz::Input input(data, size);
  if (const auto address = spillway::IpAddress::Parse(input.TakeLine()); address.has_value()) {
    Require(spillway::IpAddress::Parse(address->ToString()) == address, "an address is one form");
    Require(address->Prefix(64) == address->Prefix(64).Prefix(64), "a prefix is its own");
  }
  if (const auto network = spillway::IpNetwork::Parse(input.TakeLine()); network.ok()) {
    Require(network->Contains(network->first()), "a network has its first address");
    const auto again = spillway::IpNetwork::Parse(network->ToString());
    Require(again.ok() && again->ToString() == network->ToString(), "a network has one form");
  }
  const std::string_view time = input.TakeLine();
  using spillway::ingest::TimeUnit;
  for (const TimeUnit unit : {TimeUnit::kSeconds, TimeUnit::kMillis, TimeUnit::kMicros,
                              TimeUnit::kNanos, TimeUnit::kIso8601}) {
    spillway::ingest::ParseEventTime(time, unit);
  }
  if (const auto target = spillway::http::ParseTarget(input.TakeRest()); target.has_value()) {
    Require(!target->path.empty() && target->path[0] == '/', "a path begins with a slash");
    Require(target->path.find('\0') == std::string::npos, "and has no NUL");
  }
  return 0;
}
