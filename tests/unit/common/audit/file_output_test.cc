#include "common/audit/file_output.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "common/audit/fd_output.h"
#include "tests/support/temp_dir.h"

namespace spillway::audit {
namespace {

std::string Content(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}
bool Exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

// No file of the process grows beyond so many bytes while it lives: as on a full disk, what fits is
// written, and the rest fails.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) {
    signal_ = ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const struct rlimit now { .rlim_cur = bytes, .rlim_max = before_.rlim_max };
    ::setrlimit(RLIMIT_FSIZE, &now);
  }
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, signal_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  struct rlimit before_ {};
  void (*signal_)(int) = nullptr;
};

class FileOutputTest : public ::testing::Test {
 protected:
  std::unique_ptr<FileOutput> Open(int64_t max_bytes = 0, int kept = 2) {
    auto output = FileOutput::Open({.path = path_, .max_bytes = max_bytes, .kept = kept});
    EXPECT_TRUE(output.ok()) << output.status();
    return *std::move(output);
  }
  static void Write(Output& output, std::vector<std::string> lines) {
    const absl::Status status = output.Write(lines);
    EXPECT_TRUE(status.ok()) << status;
  }

  const test::TempDir dir_;
  const std::string path_ = dir_.path() + "/audit.jsonl";
};

TEST_F(FileOutputTest, AppendsToWhatIsThere) {
  Write(*Open(), {"one", "two"});
  Write(*Open(), {"three"});
  EXPECT_EQ(Content(path_), "one\ntwo\nthree\n");
}

TEST_F(FileOutputTest, OthersMayNotReadIt) {
  Open();
  struct stat is {};
  ASSERT_EQ(::stat(path_.c_str(), &is), 0);
  EXPECT_EQ(is.st_mode & 0007, 0u);
}

TEST_F(FileOutputTest, IsRenamedAtItsBound) {
  const auto output = Open(/*max_bytes=*/10);
  for (const char* line : {"aaaa", "bbbb", "cccc", "dddd", "eeee", "ffff", "gggg"}) {
    Write(*output, {line});
  }
  EXPECT_EQ(Content(path_), "gggg\n");
  EXPECT_EQ(Content(path_ + ".1"), "eeee\nffff\n");
  EXPECT_EQ(Content(path_ + ".2"), "cccc\ndddd\n");
  EXPECT_FALSE(Exists(path_ + ".3"));
}

TEST_F(FileOutputTest, TakesMoreThanItsBoundAtOnceInAFileOfItsOwn) {
  const auto output = Open(/*max_bytes=*/10);
  Write(*output, {"a"});
  Write(*output, {"much longer than ten bytes"});
  EXPECT_EQ(Content(path_), "much longer than ten bytes\n");
  EXPECT_EQ(Content(path_ + ".1"), "a\n");
}

TEST_F(FileOutputTest, IsMadeAnewWhenItWasMovedAway) {
  const auto output = Open();
  Write(*output, {"before"});
  ASSERT_EQ(std::rename(path_.c_str(), (path_ + ".old").c_str()), 0);
  Write(*output, {"after"});
  EXPECT_EQ(Content(path_ + ".old"), "before\n");
  EXPECT_EQ(Content(path_), "after\n");
  ASSERT_EQ(::unlink(path_.c_str()), 0);
  Write(*output, {"again"});
  EXPECT_EQ(Content(path_), "again\n");
}

TEST_F(FileOutputTest, GoesOnWithinALineWhenThereIsRoomAgain) {
  const auto output = Open();
  {
    const FullDisk full(12);
    EXPECT_FALSE(output->Write({"aaaa", "bbbb", "cccc"}).ok());
  }
  Write(*output, {"aaaa", "bbbb", "cccc"});
  EXPECT_EQ(Content(path_), "aaaa\nbbbb\ncccc\n");
}

TEST_F(FileOutputTest, ARestGoesToTheNewFileWhenTheOldOneWasMovedAway) {
  const auto output = Open();
  {
    const FullDisk full(12);
    EXPECT_FALSE(output->Write({"aaaa", "bbbb", "cccc"}).ok());
  }
  ASSERT_EQ(std::rename(path_.c_str(), (path_ + ".old").c_str()), 0);
  Write(*output, {"aaaa", "bbbb", "cccc"});
  Write(*output, {"dddd"});
  EXPECT_EQ(Content(path_ + ".old"), "aaaa\nbbbb\ncc");
  EXPECT_EQ(Content(path_), "cccc\ndddd\n") << "the line that is torn there is whole here";
}

TEST_F(FileOutputTest, ATornLineDoesNotSwallowTheNext) {
  std::ofstream(path_) << "one\n{\"tor";
  const auto output = Open();
  Write(*output, {"two"});
  Write(*output, {"three"});
  EXPECT_EQ(Content(path_), "one\n{\"tor\ntwo\nthree\n");
}

TEST_F(FileOutputTest, WhatCannotBeWrittenToIsSaidAtOnce) {
  const auto none = FileOutput::Open({.path = dir_.path() + "/no/such/dir"});
  EXPECT_TRUE(absl::IsInvalidArgument(none.status())) << none.status();
  const auto folder = FileOutput::Open({.path = dir_.path()});
  EXPECT_TRUE(absl::IsInvalidArgument(folder.status()));
  ASSERT_EQ(::mkfifo((dir_.path() + "/fifo").c_str(), 0600), 0);
  EXPECT_TRUE(absl::IsInvalidArgument(FileOutput::Open({.path = dir_.path() + "/fifo"}).status()));
}

TEST_F(FileOutputTest, ADirectoryThatIsGoneIsAnErrorUntilItIsBack) {
  const std::string folder = dir_.path() + "/logs";
  ASSERT_EQ(::mkdir(folder.c_str(), 0700), 0);
  auto output = *FileOutput::Open({.path = folder + "/a"});
  ASSERT_EQ(::unlink((folder + "/a").c_str()), 0);
  ASSERT_EQ(::rmdir(folder.c_str()), 0);
  EXPECT_FALSE(output->Write({"line"}).ok());
  ASSERT_EQ(::mkdir(folder.c_str(), 0700), 0);
  EXPECT_TRUE(output->Write({"line"}).ok());
  EXPECT_EQ(Content(folder + "/a"), "line\n");
}

TEST(FdOutput, WritesAllThatAPipeTakesAndMore) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  std::vector<std::string> lines;
  std::string expected;
  for (int i = 0; i < 2'000; ++i) {
    lines.push_back(std::to_string(i) + std::string(100, 'x'));
    expected += lines.back() + "\n";
  }
  std::string read;
  std::thread reader([&] {
    char buffer[4'096];
    for (ssize_t n = 0; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;) {
      read.append(buffer, static_cast<size_t>(n));
    }
  });
  FdOutput output(ends[1]);
  EXPECT_TRUE(output.Write(lines).ok());
  ::close(ends[1]);
  reader.join();
  ::close(ends[0]);
  EXPECT_EQ(read, expected);
}

TEST(FdOutput, AFullPipeIsWaitedForUntilItIsCancelled) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  FdOutput output(ends[1]);
  absl::Status status;
  std::thread writer([&] { status = output.Write({std::string(1 << 20, 'x')}); });
  output.Cancel();
  writer.join();
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace spillway::audit
