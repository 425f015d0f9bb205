#include "common/channel/channel_pattern.h"

#include <algorithm>
#include <bitset>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/strings.h"
#include "common/channel/channel_name.h"

namespace spillway {

absl::StatusOr<ChannelPattern> ChannelPattern::Parse(std::string_view text) {
  if (text.find("***") != std::string_view::npos) {
    return absl::InvalidArgumentError("a channel pattern has at most two '*' in a row");
  }
  // Every wildcard can stand for one letter; if even that is no name, nothing matches.
  const std::string example = absl::StrReplaceAll(Abs(text), {{"**", "x"}, {"*", "x"}});
  if (absl::Status status = ValidateChannelName(example); !status.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("not a channel pattern, for ", status.message()));
  }
  ChannelPattern pattern;
  pattern.text_ = std::string(text);
  for (size_t i = 0; i < text.size();) {
    if (text.substr(i).starts_with("**")) {
      pattern.tokens_.push_back({Kind::kAny, ""});
      i += 2;
    } else if (text[i] == '*') {
      pattern.tokens_.push_back({Kind::kSegment, ""});
      ++i;
    } else {
      const size_t end = std::min(text.find('*', i), text.size());
      pattern.tokens_.push_back({Kind::kLiteral, std::string(text.substr(i, end - i))});
      i = end;
    }
  }
  return pattern;
}

bool ChannelPattern::Matches(std::string_view name) const {
  const Token& first = tokens_[0];
  if (tokens_.size() == 1 && first.kind == Kind::kLiteral) return name == first.literal;
  if (first.kind == Kind::kLiteral && !name.starts_with(first.literal)) return false;
  const Token& last = tokens_.back();
  if (tokens_.size() == 2 && first.kind == Kind::kLiteral) {
    const std::string_view rest = name.substr(first.literal.size());
    if (rest.empty()) return false;
    return last.kind == Kind::kAny || std::none_of(rest.begin(), rest.end(), IsChannelSeparator);
  }
  return MatchesSlowly(name);
}

bool ChannelPattern::MatchesSlowly(std::string_view name) const {
  if (name.size() > kMaxChannelBytes) return false;
  // The set of places in `name` that the tokens so far can have reached: no backtracking, so the
  // cost is bounded.
  std::bitset<kMaxChannelBytes + 1> reached;
  reached.set(0);
  for (const Token& token : tokens_) {
    std::bitset<kMaxChannelBytes + 1> next;
    bool open = false;  // a wildcard has begun before this place
    for (size_t i = 0; i <= name.size(); ++i) {
      if (token.kind == Kind::kLiteral) {
        if (reached[i] && name.substr(i).starts_with(token.literal)) {
          next.set(i + token.literal.size());
        }
        continue;
      }
      if (open) next.set(i);
      open = open || reached[i];
      if (token.kind == Kind::kSegment && i < name.size() && IsChannelSeparator(name[i])) {
        open = false;
      }
    }
    if (next.none()) return false;
    reached = next;
  }
  return reached[name.size()];
}

}  // namespace spillway
