#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace spillway {

// Whether it can only be a pattern: no channel's name has a '*'.
constexpr bool IsChannelPattern(std::string_view name) {
  return name.find('*') != std::string_view::npos;
}

// A pattern of channel names: `*` stands for one or more characters other than the separators '.',
// ':' and '/',
// `**` for one or more of any characters; everything else for itself. `price:*` matches price:BTC
// but not price:BTC/USD, `price:**` matches both. Immutable, so any thread may use it.
class ChannelPattern {
 public:
  // InvalidArgument when no channel name could match (empty, too long, control characters, `***`,
  // ...).
  static absl::StatusOr<ChannelPattern> Parse(std::string_view text);

  // Matches a valid channel name. Without wildcards, or with one at the end, it costs a comparison.
  bool Matches(std::string_view name) const;
  // Whether some channel may match both. Never false where one does.
  bool Intersects(const ChannelPattern& other) const;
  // Whether every channel that matches `other` matches this one. Never true where one does not;
  // false also for patterns so intricate that it would cost too much to find out. `other` may be
  // anybody's: the work is bounded.
  bool Contains(const ChannelPattern& other) const;
  const std::string& text() const { return text_; }
  // How many `*` and `**`.
  size_t wildcards() const;
  bool has_wildcard() const { return tokens_.size() > 1 || tokens_[0].kind != Kind::kLiteral; }

 private:
  enum class Kind { kLiteral, kSegment, kAny };
  struct Token {
    Kind kind;
    std::string literal;
  };

  bool MatchesSlowly(std::string_view name) const;
  // What every name that matches begins with.
  std::string_view prefix() const;
  bool ends_open() const;
  // In its text, from there on.
  bool HasSeparatorAfter(size_t begin) const;

  std::string text_;
  std::vector<Token> tokens_;  // never empty
};

}  // namespace spillway
