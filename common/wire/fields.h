#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace spillway::wire {

// Wire types (protobuf.dev, "Encoding").
inline constexpr uint32_t kVarint = 0;
inline constexpr uint32_t kFixed64 = 1;
inline constexpr uint32_t kLength = 2;
inline constexpr uint32_t kFixed32 = 5;

// Reads fields one after the other; every Get fails for good at the first malformed byte.
class Fields {
 public:
  explicit Fields(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool Done() const { return at_ == end_; }

  bool Next(uint32_t* field, uint32_t* type) {
    uint64_t tag = 0;
    if (!Varint(&tag) || tag > 0xFFFFFFFFu) return false;
    *field = static_cast<uint32_t>(tag) >> 3;
    *type = static_cast<uint32_t>(tag) & 7;
    return *field != 0;
  }
  bool Varint(uint64_t* value) {
    if (at_ == end_) return false;
    const auto first = static_cast<uint8_t>(*at_);
    if (first < 0x80) {  // tags and most sizes
      *value = first;
      ++at_;
      return true;
    }
    return LongVarint(value);
  }
  bool Bytes(std::string_view* value) {
    uint64_t size = 0;
    if (!Varint(&size) || size > static_cast<uint64_t>(end_ - at_)) return false;
    *value = {at_, static_cast<size_t>(size)};
    at_ += size;
    return true;
  }
  bool Skip(uint32_t type) {
    uint64_t ignored = 0;
    std::string_view bytes;
    switch (type) {
      case kVarint:
        return Varint(&ignored);
      case kLength:
        return Bytes(&bytes);
      case kFixed64:
      case kFixed32: {
        const size_t size = type == kFixed64 ? 8 : 4;
        if (static_cast<size_t>(end_ - at_) < size) return false;
        at_ += size;
        return true;
      }
      default:
        return false;  // groups are not used
    }
  }
  std::string_view rest() const { return {at_, static_cast<size_t>(end_ - at_)}; }

 private:
  bool LongVarint(uint64_t* value) {
    uint64_t result = 0;
    for (unsigned shift = 0; shift < 64 && at_ != end_; shift += 7) {
      const auto byte = static_cast<uint8_t>(*at_++);
      result |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) {
        *value = result;
        return true;
      }
    }
    return false;
  }

  const char* at_;
  const char* const end_;
};

}  // namespace spillway::wire
