#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace spillway::load {

// The client's side of RFC 6455, as little of it as a load generator needs: no extensions, no
// checks of the server beyond what keeps the parser in step. Whether the server keeps to the RFC is
// for other tests.

enum class WsOpcode : uint8_t {
  kText = 0x1,
  kBinary = 0x2,
  kClose = 0x8,
  kPing = 0x9,
  kPong = 0xA
};

// An upgrade request for `target` (path and query). Its key is always the same, and the answer's is
// not looked at.
std::string UpgradeRequest(std::string_view host, std::string_view target);

// Appends a masked FIN frame (section 5.3: clients have to mask).
void AppendMaskedFrame(WsOpcode opcode, std::string_view payload, uint32_t mask, std::string* out);

// Cuts what a server sends into frames. Keeps the bytes of an incomplete one only.
class ServerFrames {
 public:
  // Calls visit(WsOpcode, std::string_view payload) for each whole frame in the order of the wire;
  // the payload lives as long as the call. False if the bytes are no frames this parser knows: a
  // masked or fragmented one, reserved bits, more than 64 MiB.
  template <typename Visit>
  bool Feed(std::string_view bytes, Visit visit) {
    if (!rest_.empty()) {
      rest_.append(bytes);
      bytes = rest_;
    }
    while (true) {
      WsOpcode opcode;
      size_t header = 0;
      size_t size = 0;
      const Header found = ReadHeader(bytes, &opcode, &header, &size);
      if (found == Header::kMalformed) return false;
      if (found == Header::kIncomplete || bytes.size() - header < size) break;
      visit(opcode, bytes.substr(header, size));
      bytes.remove_prefix(header + size);
    }
    // `bytes` may be a part of rest_.
    if (bytes.empty()) {
      rest_.clear();
    } else {
      rest_ = std::string(bytes);
    }
    return true;
  }

 private:
  enum class Header { kComplete, kIncomplete, kMalformed };
  static Header ReadHeader(std::string_view bytes, WsOpcode* opcode, size_t* header, size_t* size);

  std::string rest_;
};

}  // namespace spillway::load
