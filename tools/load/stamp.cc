#include "tools/load/stamp.h"

#include <cstring>

namespace spillway::load {
namespace {

// Digits are '0' to '9' and 'a' to 'f', most significant first. Eight at a time: the low nibble of
// a letter is one to six, and bit 6 tells letters from digits.
bool ReadHex8(const char* text, uint32_t* value) {
  uint64_t word;
  std::memcpy(&word, text, sizeof(word));
  const uint64_t letter = (word >> 6) & 0x0101010101010101;
  // Only bytes 0x30 to 0x39 and 0x60 to 0x6F get past this; nothing else is written here.
  if ((word & 0x9090909090909090) != (letter ^ 0x0101010101010101) << 4) return false;
  word = (word & 0x0F0F0F0F0F0F0F0F) + letter * 9;
  // The first digit is the lowest byte: pairs, then pairs of pairs.
  word = ((word << 4) | (word >> 8)) & 0x00FF00FF00FF00FF;
  word = ((word << 8) | (word >> 16)) & 0x0000FFFF0000FFFF;
  *value = static_cast<uint32_t>((word << 16) | (word >> 32));
  return true;
}

void WriteHex8(uint32_t value, char* out) {
  constexpr char kHex[] = "0123456789abcdef";
  for (int i = 7; i >= 0; --i, value >>= 4) out[i] = kHex[value & 0xF];
}

bool ReadAt(const char* member, Stamp* stamp) {
  if (std::memcmp(member, Stamp::kMember.data(), Stamp::kMember.size()) != 0) return false;
  const char* digits = member + Stamp::kMember.size();
  uint32_t where = 0;
  uint32_t high = 0;
  uint32_t low = 0;
  if (!ReadHex8(digits, &where) || !ReadHex8(digits + 8, &stamp->sequence) ||
      !ReadHex8(digits + 16, &high) || !ReadHex8(digits + 24, &low)) {
    return false;
  }
  stamp->stream = static_cast<uint8_t>(where >> 24);
  stamp->channel = where & 0xFFFFFF;
  stamp->due_ns = static_cast<int64_t>(static_cast<uint64_t>(high) << 32 | low);
  return true;
}

}  // namespace

void WriteStamp(const Stamp& stamp, char* out) {
  std::memcpy(out, Stamp::kMember.data(), Stamp::kMember.size());
  out += Stamp::kMember.size();
  const auto due = static_cast<uint64_t>(stamp.due_ns);
  WriteHex8(static_cast<uint32_t>(stamp.stream) << 24 | (stamp.channel & 0xFFFFFF), out);
  WriteHex8(stamp.sequence, out + 8);
  WriteHex8(static_cast<uint32_t>(due >> 32), out + 16);
  WriteHex8(static_cast<uint32_t>(due), out + 24);
  out[Stamp::kDigits] = '"';
}

bool StampFinder::Find(std::string_view text, Stamp* stamp) {
  if (text.size() >= from_end_ && from_end_ >= Stamp::kSize &&
      ReadAt(text.data() + text.size() - from_end_, stamp)) {
    return true;
  }
  size_t from = 0;
  while (true) {
    const void* found = memmem(text.data() + from, text.size() - from, Stamp::kMember.data(),
                               Stamp::kMember.size());
    if (found == nullptr) return false;
    const auto at = static_cast<size_t>(static_cast<const char*>(found) - text.data());
    if (text.size() - at < Stamp::kSize) return false;
    if (ReadAt(text.data() + at, stamp)) {
      from_end_ = text.size() - at;
      return true;
    }
    from = at + 1;
  }
}

}  // namespace spillway::load
