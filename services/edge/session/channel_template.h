#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/auth/claims.h"
#include "common/channel/channel_pattern.h"

namespace spillway::edge {

// What is known of a client when it connects.
struct ClientValues {
  const auth::Claims* claims = nullptr;  // null: anonymous
  std::vector<std::pair<std::string_view, std::string_view>> params = {};
  std::vector<std::string> roles = {};
  // Channels that the token lists: to subscribe to, to publish to.
  std::vector<ChannelPattern> granted = {};
  std::vector<ChannelPattern> granted_publish = {};
};

// A channel name with {sub}, {claim.NAME} and {param.NAME} in it. A value fills one segment of the
// name and no more, however it is written: one with a separator in it is not put in. {sub**}, as
// ** in patterns, takes any valid name's characters. Immutable: usable from any thread.
class ChannelTemplate {
 public:
  // A claim that is a list gives a name for each item, as many as this; the rest is ignored.
  static constexpr size_t kMaxNames = 100;

  // kPattern may have * and ** outside its placeholders. kKey makes no channels: any text is good,
  // and any value fits.
  enum class Kind { kName, kPattern, kKey };

  // InvalidArgument says what is wrong, at which character.
  static absl::StatusOr<ChannelTemplate> Compile(std::string_view text, Kind kind = Kind::kName);

  // The names (or patterns) for a client; none if a value is absent. Those of values that may not
  // be put in are left out, and `*unfit` is set. They may be too long for a channel's name.
  std::vector<std::string> Expand(const ClientValues& values, bool* unfit = nullptr) const;
  // A {param.NAME} in it that is none of `names`; empty: there is none.
  std::string ParamBut(const std::vector<std::string_view>& names) const;
  bool has_placeholders() const { return !pieces_.empty(); }
  const std::string& text() const { return text_; }

 private:
  enum class Source : uint8_t { kSub, kClaim, kParam };
  struct Piece {
    std::string literal;  // before the value
    Source source = Source::kSub;
    std::string name;
    bool any = false;  // fills several segments, too
  };

  static std::vector<std::string> ValuesOf(const Piece& piece, const ClientValues& values);

  std::string text_;
  Kind kind_ = Kind::kName;
  std::vector<Piece> pieces_;
  std::string tail_;
};

}  // namespace spillway::edge
