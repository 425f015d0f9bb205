#include "services/edge/ws/outbox.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace spillway::edge::ws {
namespace {
constexpr size_t kFirstCapacity = 16;  // a power of two, as every capacity
}

struct Outbox::Ring {
  Ref<Frame>& At(size_t i) { return slots[(head + i) & (slots.size() - 1)]; }

  std::vector<Ref<Frame>> slots{kFirstCapacity};
  size_t head = 0;
  size_t count = 0;
  size_t bytes = 0;
  size_t front_sent = 0;
};

Outbox::Outbox() = default;
Outbox::~Outbox() = default;

size_t Outbox::messages() const { return ring_ == nullptr ? 0 : ring_->count; }
size_t Outbox::bytes() const { return ring_ == nullptr ? 0 : ring_->bytes; }

void Outbox::Push(Ref<Frame> frame, size_t sent) {
  if (ring_ == nullptr) {
    ring_ = std::make_unique<Ring>();
    ring_->front_sent = sent;
  } else if (ring_->count == ring_->slots.size()) {
    std::vector<Ref<Frame>> larger(ring_->slots.size() * 2);
    for (size_t i = 0; i < ring_->count; ++i) larger[i] = std::move(ring_->At(i));
    ring_->slots = std::move(larger);
    ring_->head = 0;
  }
  ring_->bytes += frame->bytes().size() - sent;
  ring_->At(ring_->count++) = std::move(frame);
}

size_t Outbox::Gather(iovec* out, size_t max) const {
  if (ring_ == nullptr) return 0;
  const size_t count = std::min(max, ring_->count);
  for (size_t i = 0; i < count; ++i) {
    std::string_view bytes = ring_->At(i)->bytes();
    if (i == 0) bytes.remove_prefix(ring_->front_sent);
    out[i] = {const_cast<char*>(bytes.data()), bytes.size()};
  }
  return count;
}

size_t Outbox::Consume(size_t bytes) {
  size_t finished = 0;
  while (bytes > 0 && ring_ != nullptr) {
    const size_t left = ring_->At(0)->bytes().size() - ring_->front_sent;
    if (bytes < left) {
      ring_->front_sent += bytes;
      ring_->bytes -= bytes;
      break;
    }
    bytes -= left;
    PopFront();
    ++finished;
  }
  return finished;
}

void Outbox::PopFront() {
  Ring& ring = *ring_;
  ring.bytes -= ring.At(0)->bytes().size() - ring.front_sent;
  ring.At(0) = Ref<Frame>();
  ring.head = (ring.head + 1) & (ring.slots.size() - 1);
  ring.front_sent = 0;
  if (--ring.count == 0) ring_.reset();
}

void Outbox::DropUnstarted() {
  if (ring_ == nullptr) return;
  if (ring_->front_sent == 0) return Clear();
  Ref<Frame> front = std::move(ring_->At(0));
  const size_t sent = ring_->front_sent;
  Clear();
  Push(std::move(front), sent);
}

void Outbox::Clear() { ring_.reset(); }

}  // namespace spillway::edge::ws
