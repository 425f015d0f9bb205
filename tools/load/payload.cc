#include "tools/load/payload.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/strings.h"

namespace spillway::load {
namespace {

// Something that compresses about as market data does: words that come again, digits that do not.
std::string Prices(size_t size) {
  std::string text;
  uint32_t random = 1;
  while (text.size() < size) {
    random = random * 1664525 + 1013904223;
    absl::StrAppend(&text, "bid ", random >> 14, ".", (random >> 4) % 100, " size ",
                    (random >> 8) % 1000, ", ");
  }
  return text;
}

}  // namespace

PayloadWriter::PayloadWriter(const StreamOptions& stream)
    : bytes_(stream.bytes), text_(stream.text) {
  fill_ = text_ ? Prices(2 * bytes_ + 4096) : std::string(bytes_, 'x');
}

std::string_view PayloadWriter::Write(const Stamp& stamp, std::string_view key) {
  out_.clear();
  absl::StrAppend(&out_, "{\"c\":\"", stamp.channel, "\",");
  const size_t at = out_.size();
  out_.resize(at + Stamp::kSize);
  WriteStamp(stamp, out_.data() + at);
  if (!key.empty()) absl::StrAppend(&out_, ",\"k\":\"", Abs(key), "\"");
  constexpr std::string_view kPad = ",\"pad\":\"";
  constexpr std::string_view kEnd = "\"}";
  const size_t size = out_.size() + kPad.size() + kEnd.size();
  if (size > bytes_) {
    out_.push_back('}');
    return out_;
  }
  out_.append(kPad);
  const size_t pad = bytes_ - size;
  const size_t from = text_ ? (stamp.sequence * 31 + stamp.channel * 7) % (fill_.size() - pad) : 0;
  out_.append(fill_, from, pad);
  out_.append(kEnd);
  return out_;
}

}  // namespace spillway::load
