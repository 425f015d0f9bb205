#pragma once

#include <algorithm>

namespace spillway {

// std::erase_if for sequences that it does not know, such as absl::InlinedVector.
template <typename Sequence, typename Predicate>
void EraseIf(Sequence* sequence, Predicate predicate) {
  sequence->erase(std::remove_if(sequence->begin(), sequence->end(), predicate), sequence->end());
}

}  // namespace spillway
