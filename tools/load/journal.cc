#include "tools/load/journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace spillway::load {
namespace {

static_assert(std::endian::native == std::endian::little);

// Takes as much room as an entry, which therefore stand at multiples of their size.
struct Header {
  std::array<char, 8> magic{'S', 'P', 'W', 'L', 'J', 'R', 'N', 'L'};
  uint32_t version = 1;
  uint32_t entry_bytes = sizeof(Journal::Entry);
  uint32_t worker = 0;
  uint32_t workers = 0;
  uint64_t unused = 0;
};
static_assert(sizeof(Header) == sizeof(Journal::Entry));

// Names are written where an entry has its offsets and what nobody uses before them.
constexpr size_t kTextAt = offsetof(Journal::Entry, from);
constexpr size_t kTextBytes = sizeof(Journal::Entry) - kTextAt;

bool WriteAll(int fd, const void* data, size_t size) {
  const char* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t written = write(fd, at, size);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    at += written;
    size -= static_cast<size_t>(written);
  }
  return true;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Journal>> Journal::Create(const std::string& path, uint32_t worker,
                                                         uint32_t workers) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("journal ", path, ": ", std::generic_category().message(errno)));
  }
  std::unique_ptr<Journal> journal(new Journal(fd));
  Header header;
  header.worker = worker;
  header.workers = workers;
  if (!WriteAll(fd, &header, sizeof(header))) {
    return absl::InvalidArgumentError(absl::StrCat("journal ", path, " cannot be written"));
  }
  return journal;
}

Journal::Journal(int fd) : fd_(fd) { entries_.reserve(kBuffered); }

Journal::~Journal() {
  Flush();
  close(fd_);
}

uint16_t Journal::SourceNumber(std::string_view name) {
  const auto found = sources_.find(name);
  if (found != sources_.end()) return found->second;
  if (sources_.size() >= kNoSource) return kNoSource;
  const auto number = static_cast<uint16_t>(sources_.size());
  sources_.emplace(name, number);
  // A long name takes several entries.
  do {
    const std::string_view part = name.substr(0, kTextBytes);
    Entry entry;
    entry.kind = Kind::kSource;
    entry.detail = static_cast<uint8_t>(part.size());
    entry.source = number;
    std::memcpy(reinterpret_cast<char*>(&entry) + kTextAt, part.data(), part.size());
    Add(entry);
    name.remove_prefix(part.size());
  } while (!name.empty());
  return number;
}

Journal::Reason Journal::ReasonOf(std::string_view name) {
  if (name == "retention") return Reason::kRetention;
  if (name == "reset") return Reason::kReset;
  if (name == "limit") return Reason::kLimit;
  if (name == "slow") return Reason::kSlow;
  return Reason::kOther;
}

bool Journal::Flush() {
  if (!entries_.empty()) {
    whole_ = WriteAll(fd_, entries_.data(), entries_.size() * sizeof(Entry)) && whole_;
    entries_.clear();
  }
  return whole_;
}

}  // namespace spillway::load
