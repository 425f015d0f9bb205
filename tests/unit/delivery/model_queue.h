#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/edge/dialect/event_encoder.h"
#include "services/edge/frame/frame_header.h"
#include "services/edge/ws/backlog.h"

namespace spillway::model {

// What a client of the model did not read yet: the real backlog, behind a kernel that takes what
// chance allows.
class ModelQueue final : private edge::ws::GapFrames {
 public:
  // `read` is given the payload of each message that the client reads.
  ModelQueue(const edge::EventEncoder& encoder, std::function<void(const std::string&)> read)
      : encoder_(encoder), read_(std::move(read)) {}
  ~ModelQueue() override { backlog_.Clear(pool_); }

  bool blocked = false;
  bool overflown = false;  // the connection is closed
  size_t gaps() const { return counters_.gaps.Value(); }

  bool HasRoom() const { return backlog_.messages() <= limits_.messages / 2; }
  void Send(const edge::Frame& frame, const edge::ChannelTraits* traits) {
    if (overflown) return;
    if (!blocked && backlog_.empty()) return read_(std::string(frame.payload()));
    overflown = !backlog_.Push(pool_, limits_, frame, traits);
  }
  // Something that is no frame, in its place among the channel's frames.
  void Send(std::function<void()> call, const edge::ChannelTraits* traits) {
    if (!blocked && backlog_.empty() && !overflown) return call();
    const int number = next_call_++;
    calls_[number] = std::move(call);
    Send(*edge::Frame::Make(edge::Opcode::kText, absl::StrCat("call ", number)), traits);
  }
  // The kernel takes so many bytes.
  void Write(size_t room) {
    iovec pieces[16];
    while (room > 0 && !overflown) {
      const size_t count = backlog_.Gather(pool_, limits_, *this, pieces, 16);
      if (count == 0) return;
      size_t offered = 0;
      size_t taken = 0;
      for (size_t i = 0; i < count; ++i) {
        const size_t part = std::min(pieces[i].iov_len, room - taken);
        stream_.append(static_cast<const char*>(pieces[i].iov_base), part);
        taken += part;
        offered += pieces[i].iov_len;
      }
      room -= taken;
      backlog_.Consume(pool_, taken, taken < offered);
      Read();
    }
  }

 private:
  Ref<edge::Frame> MakeGap(const edge::ChannelTraits& channel,
                           const edge::LostEvents& lost) override {
    return encoder_.EncodeGap(
        channel.name,
        {.slot = lost.slot, .source = {}, .from = lost.from, .to = lost.to, .reason = "slow"});
  }
  void Read() {
    edge::FrameHeader header;
    while (edge::ParseFrameHeader(stream_, &header) == edge::HeaderParse::kOk &&
           stream_.size() >= header.header_size + header.payload_size) {
      const std::string text = stream_.substr(header.header_size, header.payload_size);
      stream_.erase(0, header.header_size + header.payload_size);
      if (text.substr(0, 5) == "call ") {
        calls_.extract(std::stoi(text.substr(5))).mapped()();
      } else {
        read_(text);
      }
    }
  }

  const edge::EventEncoder& encoder_;
  const std::function<void(const std::string&)> read_;
  // Room for the frames that must not be dropped; little for events.
  const edge::ws::BacklogLimits limits_{.bytes = 64 * 1024, .messages = 12};
  edge::ws::BacklogCounters counters_;
  edge::ws::BacklogPool pool_{counters_};
  edge::ws::Backlog backlog_;
  std::map<int, std::function<void()>> calls_;
  int next_call_ = 0;
  std::string stream_;
};

}  // namespace spillway::model
