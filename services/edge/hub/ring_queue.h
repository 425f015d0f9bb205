#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace spillway::edge {

// A queue in a ring that grows by doubling. Empty it holds no memory until the first element, where
// an empty std::deque holds some 600 bytes: there is one or more for each channel and each joiner.
// What it once held it keeps until clear(). Not thread-safe.
template <typename T>
class RingQueue {
 public:
  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  // 0 is the front.
  T& operator[](size_t i) { return slots_[(head_ + i) & (capacity_ - 1)]; }
  const T& operator[](size_t i) const { return slots_[(head_ + i) & (capacity_ - 1)]; }
  T& front() { return (*this)[0]; }
  T& back() { return (*this)[size_ - 1]; }

  void push_back(T value) {
    if (size_ == capacity_) Grow();
    (*this)[size_++] = std::move(value);
  }
  // What was in front is gone at once.
  void pop_front() {
    slots_[head_] = T();
    head_ = (head_ + 1) & (capacity_ - 1);
    --size_;
  }
  // Gives the memory back.
  void clear() { *this = RingQueue(); }

 private:
  static constexpr uint32_t kLeast = 4;

  void Grow() {
    const uint32_t capacity = capacity_ == 0 ? kLeast : 2 * capacity_;
    auto larger = std::make_unique<T[]>(capacity);
    for (size_t i = 0; i < size_; ++i) larger[i] = std::move((*this)[i]);
    slots_ = std::move(larger);
    capacity_ = capacity;
    head_ = 0;
  }

  std::unique_ptr<T[]> slots_;
  uint32_t capacity_ = 0;  // a power of two, or none
  uint32_t head_ = 0;
  uint32_t size_ = 0;
};

}  // namespace spillway::edge
