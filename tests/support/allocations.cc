#include "tests/support/allocations.h"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<size_t> allocations{0};
std::atomic<size_t> live_bytes{0};

}  // namespace

// Not inlined: GCC would take the two halves for a mismatch.
[[gnu::noinline]] void* operator new(size_t size) {
  void* const memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  allocations.fetch_add(1, std::memory_order_relaxed);
  live_bytes.fetch_add(::malloc_usable_size(memory), std::memory_order_relaxed);
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  if (memory != nullptr) {
    live_bytes.fetch_sub(::malloc_usable_size(memory), std::memory_order_relaxed);
  }
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, size_t /*size*/) noexcept {
  operator delete(memory);
}

namespace spillway::test {

Allocations AllocationsSoFar() {
  return {.count = allocations.load(std::memory_order_relaxed),
          .live_bytes = live_bytes.load(std::memory_order_relaxed)};
}

}  // namespace spillway::test
