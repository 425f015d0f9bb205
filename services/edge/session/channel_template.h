#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/auth/claims.h"

namespace spillway::edge {

// What is known of a client when it connects.
struct ClientValues {
  const auth::Claims* claims = nullptr;  // null: anonymous
  std::vector<std::pair<std::string_view, std::string_view>> params;
};

// A channel name with {sub}, {claim.NAME} and {param.NAME} in it. Immutable: usable from any
// thread.
class ChannelTemplate {
 public:
  // A claim that is a list gives a name for each item, as many as this; the rest is ignored.
  static constexpr size_t kMaxNames = 100;

  // InvalidArgument says what is wrong, at which character.
  static absl::StatusOr<ChannelTemplate> Compile(std::string_view text);

  // The names for a client; none if a value is absent. They need not be valid channel names.
  std::vector<std::string> Expand(const ClientValues& values) const;
  bool has_placeholders() const { return !pieces_.empty(); }
  const std::string& text() const { return text_; }

 private:
  enum class Source : uint8_t { kSub, kClaim, kParam };
  struct Piece {
    std::string literal;  // before the value
    Source source = Source::kSub;
    std::string name;
  };

  static std::vector<std::string> ValuesOf(const Piece& piece, const ClientValues& values);

  std::string text_;
  std::vector<Piece> pieces_;
  std::string tail_;
};

}  // namespace spillway::edge
