#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace spillway::audit {

// Where lines of the audit log go. Write() is called by one thread, of the audit log; Cancel() by
// another.
class Output {
 public:
  virtual ~Output() = default;
  // Writes lines, which end without a newline; may block. After another status than OK it is called
  // with the same lines again, until it is OK: what was written already is not written again, as
  // far as that can be known.
  virtual absl::Status Write(const std::vector<std::string>& lines) = 0;
  // Ends a call that blocks, and those that follow.
  virtual void Cancel() {}
};

}  // namespace spillway::audit
