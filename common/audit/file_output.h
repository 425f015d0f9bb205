#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/audit/output.h"

namespace spillway::audit {

// Appends lines to a file. When it would grow beyond its bound it becomes FILE.1, FILE.1 becomes
// FILE.2, and so on; the oldest goes. A file that somebody else moves away or removes (logrotate)
// is made anew with the next line. The file is readable by owner and group.
class FileOutput final : public Output {
 public:
  struct Options {
    std::string path;
    int64_t max_bytes = 0;  // 0: it is somebody else who bounds it
    int kept = 1;           // old files
  };

  // Opens it. InvalidArgument for what cannot be written to.
  static absl::StatusOr<std::unique_ptr<FileOutput>> Open(Options options);
  ~FileOutput() override;
  FileOutput(const FileOutput&) = delete;
  FileOutput& operator=(const FileOutput&) = delete;

  absl::Status Write(const std::vector<std::string>& lines) override;

 private:
  explicit FileOutput(Options options) : options_(std::move(options)) {}

  absl::Status Reopen();
  absl::Status Append(std::string_view text, size_t* written);
  // Whether the path leads to the file that is open.
  bool IsCurrent() const;
  int64_t Size() const;
  // Renames the files. What fails leaves the file growing: a line counts for more than the bound.
  void Rotate();

  const Options options_;
  int fd_ = -1;
  std::string rest_;  // of the lines that are being written
  size_t written_ = 0;
  bool torn_ = false;       // the file that was opened ends within a line, of an earlier run
  bool too_large_ = false;  // since it cannot be renamed
};

}  // namespace spillway::audit
