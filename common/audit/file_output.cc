#include "common/audit/file_output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/audit/fd_output.h"
#include "common/log/log.h"

namespace spillway::audit {
namespace {

constexpr mode_t kMode = 0640;

// Whether the file's last line has no end.
bool EndsTorn(const std::string& path, off_t size) {
  if (size == 0) return false;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return false;  // it may be written only: then this cannot be known
  char last = '\n';
  const bool read = ::pread(fd, &last, 1, size - 1) == 1;
  ::close(fd);
  return read && last != '\n';
}

}  // namespace

absl::StatusOr<std::unique_ptr<FileOutput>> FileOutput::Open(Options options) {
  std::unique_ptr<FileOutput> output(new FileOutput(std::move(options)));
  if (absl::Status status = output->Reopen(); !status.ok()) {
    return absl::InvalidArgumentError(status.message());
  }
  return output;
}

FileOutput::~FileOutput() {
  if (fd_ >= 0) ::close(fd_);
}

absl::Status FileOutput::Reopen() {
  // O_NONBLOCK: a pipe that nobody reads must not keep us waiting; a file is none the different.
  const int fd = ::open(options_.path.c_str(),
                        O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, kMode);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot open '", options_.path, "'"));
  struct stat is {};
  if (::fstat(fd, &is) != 0 || !S_ISREG(is.st_mode)) {
    ::close(fd);
    return absl::FailedPreconditionError(absl::StrCat("'", options_.path, "' is no regular file"));
  }
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
  torn_ = EndsTorn(options_.path, is.st_size);
  // The line that the file before has a part of comes whole.
  if (written_ > 0) written_ = rest_.rfind('\n', written_ - 1) + 1;
  return absl::OkStatus();
}

bool FileOutput::IsCurrent() const {
  struct stat open {};
  struct stat there {};
  return ::fstat(fd_, &open) == 0 && ::stat(options_.path.c_str(), &there) == 0 &&
         open.st_dev == there.st_dev && open.st_ino == there.st_ino;
}

int64_t FileOutput::Size() const {
  struct stat open {};
  return ::fstat(fd_, &open) == 0 ? open.st_size : 0;
}

void FileOutput::Rotate() {
  const auto name = [this](int number) { return absl::StrCat(options_.path, ".", number); };
  for (int i = options_.kept - 1; i >= 1; --i) ::rename(name(i).c_str(), name(i + 1).c_str());
  const bool renamed = ::rename(options_.path.c_str(), name(1).c_str()) == 0;
  // Said once: it is tried with every write.
  if (!renamed && !std::exchange(too_large_, true)) {
    log::Warn("the audit file grows beyond its bound: it cannot be renamed",
              {{"file", options_.path}, {"errno", errno}});
  }
  if (renamed) too_large_ = false;
}

absl::Status FileOutput::Append(std::string_view text, size_t* written) {
  while (*written < text.size()) {
    const ssize_t count = ::write(fd_, text.data() + *written, text.size() - *written);
    if (count < 0 && errno != EINTR) {
      return absl::ErrnoToStatus(errno, absl::StrCat("cannot write '", options_.path, "'"));
    }
    if (count > 0) *written += static_cast<size_t>(count);
  }
  return absl::OkStatus();
}

absl::Status FileOutput::Write(const std::vector<std::string>& lines) {
  if (fd_ < 0 || !IsCurrent()) {
    if (absl::Status status = Reopen(); !status.ok()) return status;
  }
  // Only between lines: the rest of one goes where it began.
  if (rest_.empty()) {
    rest_ = Joined(lines);
    const int64_t size = Size();
    if (options_.max_bytes > 0 && size > 0 &&
        size + static_cast<int64_t>(rest_.size()) > options_.max_bytes) {
      Rotate();
      if (absl::Status status = Reopen(); !status.ok()) {
        rest_.clear();
        return status;
      }
    }
  }
  if (torn_) {
    size_t ended = 0;
    if (absl::Status status = Append("\n", &ended); !status.ok()) return status;
    torn_ = false;
  }
  if (absl::Status status = Append(rest_, &written_); !status.ok()) return status;
  rest_.clear();
  written_ = 0;
  return absl::OkStatus();
}

}  // namespace spillway::audit
