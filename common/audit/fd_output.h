#pragma once

#include <atomic>
#include <cstddef>
#include <string>
#include <vector>

#include "common/audit/output.h"

namespace spillway::audit {

// Writes lines to a file descriptor, whole ones as far as the kernel lets it. Waits for a pipe that
// is full, until it is cancelled.
class FdOutput final : public Output {
 public:
  // `fd` stays the caller's.
  explicit FdOutput(int fd) : fd_(fd) {}

  absl::Status Write(const std::vector<std::string>& lines) override;
  void Cancel() override { cancelled_.store(true); }

 private:
  const int fd_;
  std::atomic<bool> cancelled_{false};
  std::string rest_;  // of the lines that are being written
  size_t written_ = 0;
};

// The lines, each with a newline.
std::string Joined(const std::vector<std::string>& lines);

}  // namespace spillway::audit
