// The stream of a client after the handshake, given whole and in pieces: both find the same.

#include <string>
#include <vector>

#include "fuzz/input.h"
#include "services/edge/frame/deflate.h"
#include "services/edge/ws/frame_codec.h"
#include "services/edge/ws/utf8.h"

namespace edge = spillway::edge;
using spillway::fuzz::Require;

namespace {

constexpr size_t kMaxMessage = 4096;

class Found final : public edge::ws::FrameSink {
 public:
  void OnMessage(std::string_view payload, bool text) override {
    Require(payload.size() <= kMaxMessage, "a message has its bound");
    if (text) Require(edge::ws::IsUtf8(payload), "a text is UTF-8");
    Note(text ? 't' : 'b', payload);
  }
  void OnPing(std::string_view payload) override { Note('i', payload); }
  void OnPong(std::string_view payload) override { Note('o', payload); }
  void OnClose(uint16_t code, std::string_view reason) override {
    Note('c', std::to_string(code).append(reason));
  }
  std::vector<std::string> all;

 private:
  void Note(char kind, std::string_view payload) {
    all.push_back(std::string(1, kind).append(payload));
  }
};

std::vector<std::string> Read(std::string stream, size_t piece, bool deflate) {
  static edge::Inflater inflater;
  edge::ws::FrameCodec codec(kMaxMessage, deflate);
  Found found;
  for (size_t at = 0; at < stream.size(); at += piece) {
    const size_t size = std::min(piece, stream.size() - at);
    const auto failure = codec.Feed(stream.data() + at, size, inflater, found);
    Require(codec.held_bytes() <= 4 * kMaxMessage + 1024, "what is held has its bound");
    if (failure.has_value()) {
      found.all.push_back("failed " + std::to_string(failure->code));
      break;
    }
  }
  return std::move(found.all);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  spillway::fuzz::Input input(data, size);
  const uint8_t how = input.TakeByte();
  const std::string stream(input.TakeRest());
  const bool deflate = (how & 1) != 0;
  const size_t piece = 1 + (how >> 1);
  Require(Read(stream, stream.size() + 1, deflate) == Read(stream, piece, deflate),
          "pieces make the same messages");
  return 0;
}
