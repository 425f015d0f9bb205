#pragma once

#include <algorithm>
#include <cstdint>

namespace spillway::load {

// What the sequence numbers of subscriptions showed, together. Plain data.
struct SequenceCounts {
  uint64_t in_order = 0;      // ascended
  uint64_t skipped = 0;       // numbers passed over that did not come later either
  uint64_t told = 0;          // the same, where a gap stood in their place
  uint64_t duplicates = 0;    // came twice
  uint64_t out_of_order = 0;  // came after a higher one
};

// One subscription's share in the order of its channel: the last number, and which of the 32 before
// it have come. Eight bytes, since there is one for each subscription of each client.
class SequenceCheck {
 public:
  // The first number is only checked if the subscriber was there from the beginning.
  void Expect(uint32_t next) {
    last_ = next - 1;
    seen_ = ~uint32_t{0};
  }

  // `told`: since the number before, a gap was.
  void Take(uint32_t number, bool told, SequenceCounts* counts) {
    if (!started()) Expect(number);
    if (number > last_) [[likely]] {
      const uint32_t step = number - last_;
      ++counts->in_order;
      (told ? counts->told : counts->skipped) += step - 1;
      // Bit i: last_ - 1 - i has come.
      seen_ = step > 32 ? 0 : static_cast<uint32_t>(((uint64_t{seen_} << 1) | 1) << (step - 1));
      last_ = number;
      return;
    }
    const uint32_t back = last_ - number;
    if (back == 0 || back > 32 || ((seen_ >> (back - 1)) & 1) != 0) {
      ++counts->duplicates;
      return;
    }
    seen_ |= uint32_t{1} << (back - 1);
    ++counts->out_of_order;
    --(counts->skipped > 0 ? counts->skipped : counts->told);
  }

  // Of a channel without an order of its own: only the highest counts.
  void Count(uint32_t number, SequenceCounts* counts) {
    if (!started()) Expect(number);
    ++counts->in_order;
    last_ = std::max(last_, number);
  }

  bool started() const { return last_ != kNever; }
  uint32_t last() const { return last_; }

 private:
  static constexpr uint32_t kNever = UINT32_MAX;

  uint32_t last_ = kNever;
  uint32_t seen_ = 0;
};

}  // namespace spillway::load
