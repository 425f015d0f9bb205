#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tools/load/run_options.h"
#include "tools/load/stamp.h"

namespace spillway::load {

// Writes a stream's payloads: {"c":"CHANNEL NUMBER","l":"STAMP","k":"KEY","pad":"..."}, all of the
// same size as far as their members let them. One thread.
class PayloadWriter {
 public:
  explicit PayloadWriter(const StreamOptions& stream);

  // Valid until the next call. `key`: empty leaves the member out.
  std::string_view Write(const Stamp& stamp, std::string_view key);

 private:
  const size_t bytes_;
  const bool text_;
  std::string fill_;  // of which each payload takes a piece
  std::string out_;
};

}  // namespace spillway::load
