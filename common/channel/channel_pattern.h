#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace spillway {

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
  const std::string& text() const { return text_; }
  bool has_wildcard() const { return tokens_.size() > 1 || tokens_[0].kind != Kind::kLiteral; }

 private:
  enum class Kind { kLiteral, kSegment, kAny };
  struct Token {
    Kind kind;
    std::string literal;
  };

  bool MatchesSlowly(std::string_view name) const;

  std::string text_;
  std::vector<Token> tokens_;  // never empty
};

}  // namespace spillway
