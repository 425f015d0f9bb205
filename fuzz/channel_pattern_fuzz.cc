// Patterns and names of channels, as clients write them: two patterns and a name, in lines.

#include "common/channel/channel_name.h"
#include "common/channel/channel_pattern.h"
#include "fuzz/input.h"

using spillway::ChannelPattern;
using spillway::fuzz::Require;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  spillway::fuzz::Input input(data, size);
  const auto a = ChannelPattern::Parse(input.TakeLine());
  const auto b = ChannelPattern::Parse(input.TakeLine());
  const std::string_view name = input.TakeRest();
  if (!spillway::ValidateChannelName(name).ok()) return 0;
  if (!a.ok() || !b.ok()) return 0;
  const bool in_a = a->Matches(name);
  const bool in_b = b->Matches(name);
  if (in_a && in_b) {
    Require(a->Intersects(*b) && b->Intersects(*a), "a channel of both is shared");
  }
  if (in_b && a->Contains(*b)) Require(in_a, "what contains a pattern has its channels");
  Require(a->Intersects(*b) == b->Intersects(*a), "sharing is mutual");
  if (a->Contains(*b)) Require(a->Intersects(*b), "what is contained is shared");
  return 0;
}
