#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/strings.h"
#include "services/edge/frame/frame_header.h"
#include "services/edge/ws/backlog.h"

namespace spillway::edge::ws {

inline Ref<const ChannelTraits> Traits(std::string name, SlowPolicy slow,
                                       Priority priority = Priority::kNormal, bool silent = false) {
  const uint64_t hash = std::hash<std::string>()(name);
  return MakeRef<const ChannelTraits>(std::move(name), hash,
                                      ChannelSettings{.slow = slow, .priority = priority}, silent);
}

constexpr uint32_t kNoSlotOfTest = UINT32_MAX;

inline std::string GapText(std::string_view channel, const LostEvents& lost) {
  if (lost.slot == kNoSlotOfTest) return absl::StrCat("gap ", Abs(channel), " of ", lost.count);
  return absl::StrCat("gap ", Abs(channel), " ", lost.slot, ":", lost.from, "-", lost.to);
}

class TextGaps final : public GapFrames {
 public:
  Ref<Frame> MakeGap(const ChannelTraits& channel, const LostEvents& lost) override {
    return able ? Frame::Make(Opcode::kText, GapText(channel.name, lost)) : Ref<Frame>();
  }
  bool able = true;
};

// An event as its text: "c 1:7" and so many dots. Key 0: it has none; a key is one of its slot.
inline Ref<Frame> EventFrame(std::string_view channel, uint32_t slot, int64_t offset,
                             uint64_t key = 0, size_t padding = 0) {
  Ref<Frame> frame = Frame::Make(
      Opcode::kText, absl::StrCat(Abs(channel), " ", slot, ":", offset, std::string(padding, '.')));
  const uint64_t key_hash = key == 0 ? 0 : key * 0x100000001 ^ slot;
  frame->set_meta({.event = true, .slot = slot, .offset = offset, .key_hash = key_hash});
  return frame;
}

// Takes a stream of frames apart: the payloads that are whole, without padding.
inline std::vector<std::string> TakeMessages(std::string* stream) {
  std::vector<std::string> messages;
  FrameHeader header;
  while (ParseFrameHeader(*stream, &header) == HeaderParse::kOk &&
         stream->size() >= header.header_size + header.payload_size) {
    std::string text = stream->substr(header.header_size, header.payload_size);
    text.erase(text.find_last_not_of('.') + 1);
    messages.push_back(std::move(text));
    stream->erase(0, header.header_size + header.payload_size);
  }
  return messages;
}

}  // namespace spillway::edge::ws
