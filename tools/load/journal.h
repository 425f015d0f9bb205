#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace spillway::load {

// What the clients of one worker were told, in the order in which they were, for a checker that
// believes neither the server nor this tool. A binary file of entries of one size, so that events
// cost a copy of 32 bytes; its form is in docs/load-tool.md. One thread.
class Journal {
 public:
  // Their numbers are the file's: never to change.
  enum class Kind : uint8_t {
    kSource = 1,      // what `source` stands for: its name is the text
    kConnected = 2,   // a connection begins, the client's `from`-th; of all of its channels
    kShown = 3,       // a position that it shows to go on there
    kSubscribed = 4,  // the position at which the subscription begins
    kJoined = 5,
    kCheckpoint = 6,  // also that of the last piece of a snapshot
    kEvent = 7,       // at offset `from`; `to` is the number that its stamp had, 0 without one
    kGap = 8,         // `from` to `to` do not come
    kEnd = 9,         // of the run; `detail` is 1 if the client was subscribed to everything
  };
  enum class Reason : uint8_t { kOther, kRetention, kReset, kLimit, kSlow };
  static constexpr uint16_t kNoSource = 0xFFFF;
  static constexpr uint8_t kPending = 1;  // detail of a position: it has no offset yet

  // Little-endian, as all machines are that this is built for.
  struct Entry {
    Kind kind = Kind::kEnd;
    uint8_t detail =
        0;  // the text's length, or kPending, or a gap's Reason, or whether it is ready
    uint16_t source = kNoSource;
    uint32_t client = 0;
    uint32_t channel = 0;  // the stream's number in the upper 8 bits, the channel's below
    uint32_t unused = 0;
    int64_t from = 0;  // offsets; -1 stands before the first record
    int64_t to = 0;
  };
  static_assert(sizeof(Entry) == 32);

  // An error if the file cannot be made.
  static absl::StatusOr<std::unique_ptr<Journal>> Create(const std::string& path, uint32_t worker,
                                                         uint32_t workers);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // Buffered.
  void Add(const Entry& entry) {
    entries_.push_back(entry);
    if (entries_.size() == kBuffered) Flush();
  }
  // The number of a source; of one that is new the name is written.
  uint16_t SourceNumber(std::string_view name);
  static Reason ReasonOf(std::string_view name);

  // Writes what is buffered. False once anything could not be written: the file has holes then.
  bool Flush();

 private:
  static constexpr size_t kBuffered = 1 << 15;

  explicit Journal(int fd);

  int fd_;
  bool whole_ = true;
  std::vector<Entry> entries_;
  std::map<std::string, uint16_t, std::less<>> sources_;
};

}  // namespace spillway::load
