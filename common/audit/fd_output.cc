#include "common/audit/fd_output.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>

namespace spillway::audit {
namespace {

constexpr int kPollMs = 200;  // Cancel() is looked at so often

// How much to write at once: what a pipe that poll() calls writable takes without blocking, up to
// the end of a line if there is one.
size_t PieceOf(std::string_view text) {
  if (text.size() <= PIPE_BUF) return text.size();
  const size_t end = text.substr(0, PIPE_BUF).rfind('\n');
  return end == std::string_view::npos ? PIPE_BUF : end + 1;
}

}  // namespace

std::string Joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text.append(line).push_back('\n');
  return text;
}

absl::Status FdOutput::Write(const std::vector<std::string>& lines) {
  if (rest_.empty()) rest_ = Joined(lines);
  while (written_ < rest_.size()) {
    struct pollfd writable {
      .fd = fd_, .events = POLLOUT, .revents = 0
    };
    if (cancelled_.load()) return absl::CancelledError("stopping");
    if (::poll(&writable, 1, kPollMs) == 0) continue;
    const std::string_view left = std::string_view(rest_).substr(written_);
    const ssize_t count = ::write(fd_, left.data(), PieceOf(left));
    if (count < 0 && errno != EINTR && errno != EAGAIN) return absl::ErrnoToStatus(errno, "write");
    written_ += static_cast<size_t>(std::max<ssize_t>(count, 0));
  }
  rest_.clear();
  written_ = 0;
  return absl::OkStatus();
}

}  // namespace spillway::audit
