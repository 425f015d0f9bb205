#include "common/audit/line_buffer.h"

namespace spillway::audit {

bool LineBuffer::HasRoom(size_t bytes, By by) const {
  // An eighth is kept from clients.
  const auto share = [by](size_t whole) { return by == By::kClient ? whole - whole / 8 : whole; };
  return lines_.size() < share(options_.lines) && bytes_ + bytes <= share(options_.bytes);
}

void LineBuffer::Put(std::string line) {
  bytes_ += line.size();
  lines_.push_back(std::move(line));
}

std::vector<std::string> LineBuffer::Take(size_t lines, size_t bytes) {
  std::vector<std::string> taken;
  size_t so_far = 0;
  while (!lines_.empty() && taken.size() < lines) {
    so_far += lines_.front().size();
    if (!taken.empty() && so_far > bytes) break;
    bytes_ -= lines_.front().size();
    taken.push_back(std::move(lines_.front()));
    lines_.pop_front();
  }
  return taken;
}

}  // namespace spillway::audit
