#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <memory>

#include "services/edge/frame/frame.h"

namespace spillway::edge::ws {

// Frames that the kernel did not take yet, in order, with how much of the first it did take. Holds
// memory only while there are any: an empty outbox is one pointer. Its bound is its user's to keep.
// Belongs to one connection, on its thread.
class Outbox {
 public:
  Outbox();
  ~Outbox();
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  bool empty() const { return ring_ == nullptr; }
  size_t messages() const;
  size_t bytes() const;  // still to be sent

  // `sent`: bytes of this frame that left already; only for the first frame of an empty outbox.
  void Push(Ref<Frame> frame, size_t sent = 0);
  // Describes up to `max` pieces from the front. Returns their number.
  size_t Gather(iovec* out, size_t max) const;
  // `bytes` of what Gather described left. Returns how many frames were finished by that.
  size_t Consume(size_t bytes);
  // Drops what was not begun: a frame that left in part must be finished for the stream to stay
  // readable.
  void DropUnstarted();
  void Clear();

 private:
  struct Ring;
  void PopFront();

  std::unique_ptr<Ring> ring_;
};

}  // namespace spillway::edge::ws
