// Events and batches of the link, which are read by hand, held against the generated code.

#include <string>

#include "common/wire/event_wire.h"
#include "fuzz/input.h"
#include "spillway/v1/event.pb.h"

using spillway::fuzz::Require;
namespace wire = spillway::wire;

namespace {

void Check(const wire::EventView& view, std::string_view bytes) {
  spillway::v1::Event event;
  // The generated code also wants strings to be UTF-8, which the edge's clients are not sent
  // unchecked.
  if (!event.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  Require(view.offset == event.offset() && view.slot == event.slot(), "the place");
  Require(view.payload == event.payload() && view.key == event.key(), "payload and key");
  Require(view.channels.size() == static_cast<size_t>(event.channels_size()), "the channels");
  std::string written;
  wire::AppendBatchEvent(view, &written);
  wire::BatchReader reader(written);
  wire::ProgressView progress;
  std::string_view again;
  wire::EventView read;
  Require(reader.Next(&progress, &again) == wire::BatchReader::Kind::kEvent, "it is written");
  Require(wire::ParseEvent(again, &read), "what was written is read");
  Require(read.payload == view.payload && read.offset == view.offset, "as it was");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  wire::EventView view;
  if (wire::ParseEvent(bytes, &view)) Check(view, bytes);
  wire::ChannelViews channels;
  wire::ParseBatchEventChannels(bytes, &channels);
  wire::BatchReader reader(wire::BatchOfLinkResponse(bytes).value_or(bytes));
  wire::ProgressView progress;
  std::string_view event;
  for (size_t i = 0; i <= size; ++i) {
    const auto kind = reader.Next(&progress, &event);
    if (kind == wire::BatchReader::Kind::kEnd || kind == wire::BatchReader::Kind::kMalformed) {
      return 0;
    }
    if (kind == wire::BatchReader::Kind::kEvent) wire::ParseEvent(event, &view);
  }
  Require(false, "a batch has an end");
  return 0;
}
