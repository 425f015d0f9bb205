#pragma once

#include <cstddef>
#include <deque>
#include <string>

namespace spillway::ingest {

// Strings that keep their place and their capacity from record to record, so that steady traffic
// allocates nothing. Belongs to one normaliser, on its thread.
class StringPool {
 public:
  // An empty string that stays where it is until Reset.
  std::string& Next() {
    if (used_ == strings_.size()) strings_.emplace_back();
    return strings_[used_++];
  }
  // Takes all strings back. One that grew beyond what is usual gives its memory up.
  void Reset() {
    for (size_t i = 0; i < used_; ++i) {
      strings_[i].clear();
      if (strings_[i].capacity() > kKeptBytes) strings_[i].shrink_to_fit();
    }
    used_ = 0;
  }

 private:
  static constexpr size_t kKeptBytes = 64 << 10;
  std::deque<std::string> strings_;
  size_t used_ = 0;
};

}  // namespace spillway::ingest
