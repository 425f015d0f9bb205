#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace spillway::edge {

// Where a subscription that is taken up again was in one partition, as its client says: nothing of
// it is trusted beyond what the client may have anyway.
struct ResumeEntry {
  std::string source;    // "topic/partition@incarnation"
  bool pending = false;  // it was nowhere yet: it begins there now
  int64_t offset = -1;   // everything up to here it has
  // Of the record at `fingerprint_at`, which is at or before `offset`; 0: unknown.
  uint16_t fingerprint = 0;
  int64_t fingerprint_at = -1;
};

// Over all partitions that fed its channel then. One that is missing is newer than the position,
// and everything in it was missed.
using Resume = std::vector<ResumeEntry>;

}  // namespace spillway::edge
