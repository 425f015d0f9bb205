#pragma once

#include <cstddef>

namespace spillway::test {

// What the global operator new has done in this program since it began. Only a program that links
// spillway_test_allocations counts (it replaces the operators): one of its own, so that no other
// test pays for it. Any thread.
struct Allocations {
  size_t count = 0;
  size_t live_bytes = 0;  // as the allocator has rounded them up
};
Allocations AllocationsSoFar();

}  // namespace spillway::test
