#include "services/edge/frame/compressor.h"

namespace spillway::edge {
namespace {

constexpr size_t kSmallPayload = 4096;
constexpr int kSmallWindowBits = 12;
constexpr int kSmallMemoryLevel = 5;
constexpr int kLargeMemoryLevel = 8;

Deflater& Made(std::unique_ptr<Deflater>& deflater, int window_bits, int level, int memory_level) {
  if (deflater == nullptr) {
    deflater = std::make_unique<Deflater>(window_bits, level, memory_level);
  }
  return *deflater;
}

}  // namespace

Compressor::Compressor(int level) : level_(level) {}

Compressor& Compressor::OfThisThread(int level) {
  thread_local std::unique_ptr<Compressor> compressor;
  if (compressor == nullptr || compressor->level() != level) {
    compressor = std::make_unique<Compressor>(level);
  }
  // LLVM 14 takes the end of the function for the end of what is thread_local.
  return *compressor;  // NOLINT(clang-analyzer-cplusplus.NewDelete)
}

Deflater& Compressor::DeflaterFor(size_t payload_size, int window_bits) {
  if (window_bits < kWideWindowBits && payload_size > kNarrowPayload) {
    return Made(narrow_, kNarrowWindowBits, level_, kSmallMemoryLevel);
  }
  if (payload_size <= kSmallPayload) {
    return Made(small_, kSmallWindowBits, level_, kSmallMemoryLevel);
  }
  return Made(large_, kWideWindowBits, level_, kLargeMemoryLevel);
}

Ref<Frame> Compressor::Compress(const Frame& plain, int window_bits) {
  const std::string_view payload = plain.payload();
  const std::string_view compressed = DeflaterFor(payload.size(), window_bits).Compress(payload);
  if (compressed.size() >= payload.size()) return {};
  Ref<Frame> frame = Frame::Make(plain.opcode(), compressed, /*rsv1=*/true);
  frame->set_meta(plain.meta());
  return frame;
}

}  // namespace spillway::edge
