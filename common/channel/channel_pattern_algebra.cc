// ChannelPattern: whether two patterns share names, or one has all of the other's.
//
// Both walk the two patterns side by side as automata, over names without empty segments. That
// names are at most 255 bytes of UTF-8 is not looked at: it can only take names away from both.

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "common/channel/channel_name.h"
#include "common/channel/channel_pattern.h"

namespace spillway {
namespace {

// Pairs of states that Contains looks at before it gives up.
constexpr size_t kMostPairs = 4096;

// A pattern as an automaton: state n has consumed its first n atoms.
class Automaton {
 public:
  explicit Automaton(std::string_view text) {
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '*') {
        atoms_.push_back({Kind::kByte, text[i]});
      } else if (text.substr(i).starts_with("**")) {
        atoms_.push_back({Kind::kAny, 0});
        ++i;
      } else {
        atoms_.push_back({Kind::kSegment, 0});
      }
    }
  }

  size_t end() const { return atoms_.size(); }

  // The only byte on which anything follows; none: there may be several.
  std::optional<char> OnlyByte(size_t state) const {
    if (state == end() || atoms_[state].kind != Kind::kByte) return std::nullopt;
    if (state > 0 && atoms_[state - 1].kind != Kind::kByte) return std::nullopt;
    return atoms_[state].byte;
  }

  // Visits the states that follow on `c`.
  template <typename Visit>
  void Step(size_t state, char c, Visit visit) const {
    // A wildcard goes on as long as it likes.
    if (state > 0 && atoms_[state - 1].kind != Kind::kByte && Takes(atoms_[state - 1], c)) {
      visit(state);
    }
    if (state < end() && Takes(atoms_[state], c)) visit(state + 1);
  }

  void AddBytes(std::set<char>* bytes) const {
    for (const Atom& atom : atoms_) {
      if (atom.kind == Kind::kByte) bytes->insert(atom.byte);
    }
  }

 private:
  enum class Kind : uint8_t { kByte, kSegment, kAny };
  struct Atom {
    Kind kind;
    char byte;
  };
  static bool Takes(const Atom& atom, char c) {
    switch (atom.kind) {
      case Kind::kByte:
        return c == atom.byte;
      case Kind::kSegment:
        return !IsChannelSeparator(c);
      case Kind::kAny:
        break;
    }
    return true;
  }

  std::vector<Atom> atoms_;
};

// The bytes that either tells apart, the separators, and one that stands for all others.
std::vector<char> Letters(const Automaton& a, const Automaton& b) {
  std::set<char> bytes = {'.', ':', '/'};
  a.AddBytes(&bytes);
  b.AddBytes(&bytes);
  for (int c = 'a'; c < 'a' + 255; ++c) {
    const auto other = static_cast<char>(c);
    if (other == '*' || bytes.contains(other)) continue;
    bytes.insert(other);
    break;
  }
  return {bytes.begin(), bytes.end()};
}

// Whether `c` may follow in a name, and if so whether a segment is under way then.
bool MayFollow(bool in_segment, char c, bool* then) {
  *then = !IsChannelSeparator(c);
  return in_segment || *then;
}

// As far as both go.
bool BeginAlike(std::string_view a, std::string_view b) {
  const size_t common = std::min(a.size(), b.size());
  return a.substr(0, common) == b.substr(0, common);
}

// A set of states of a pattern.
class States {
 public:
  void Add(size_t state) { words_[state / 64] |= uint64_t{1} << (state % 64); }
  bool Has(size_t state) const { return ((words_[state / 64] >> (state % 64)) & 1) != 0; }
  auto operator<=>(const States&) const = default;

 private:
  std::array<uint64_t, kMaxChannelBytes / 64 + 1> words_{};
};

// The bytes that may follow where only `byte` can; else all.
std::span<const char> Following(const std::optional<char>& byte, const std::vector<char>& letters) {
  if (!byte.has_value()) return letters;
  return {std::lower_bound(letters.begin(), letters.end(), *byte), 1};
}

}  // namespace

std::string_view ChannelPattern::prefix() const {
  return tokens_[0].kind == Kind::kLiteral ? std::string_view(tokens_[0].literal)
                                           : std::string_view();
}

size_t ChannelPattern::wildcards() const {
  return static_cast<size_t>(std::count_if(tokens_.begin(), tokens_.end(), [](const Token& token) {
    return token.kind != Kind::kLiteral;
  }));
}

// One wildcard, at its end: what most rules are.
bool ChannelPattern::ends_open() const {
  return tokens_.size() <= 2 && tokens_.back().kind != Kind::kLiteral &&
         (tokens_.size() == 1 || tokens_[0].kind == Kind::kLiteral);
}

bool ChannelPattern::HasSeparatorAfter(size_t begin) const {
  return std::any_of(text_.begin() + static_cast<ptrdiff_t>(begin), text_.end(),
                     IsChannelSeparator);
}

bool ChannelPattern::Intersects(const ChannelPattern& other) const {
  // Most that share nothing begin differently.
  if (!BeginAlike(prefix(), other.prefix())) return false;
  if (!has_wildcard()) return other.Matches(text_);
  if (!other.has_wildcard()) return Matches(other.text_);
  for (const auto& [one, two] : {std::pair(this, &other), std::pair(&other, this)}) {
    if (one->ends_open() && two->prefix().size() >= one->prefix().size()) {
      return one->tokens_.back().kind == Kind::kAny ||
             !two->HasSeparatorAfter(one->prefix().size());
    }
  }

  const Automaton a(text_);
  const Automaton b(other.text_);
  const std::vector<char> letters = Letters(a, b);
  const auto index = [&b](size_t i, size_t j, bool in_segment) {
    return (i * (b.end() + 1) + j) * 2 + (in_segment ? 1 : 0);
  };
  std::vector<bool> seen((a.end() + 1) * (b.end() + 1) * 2);
  std::vector<std::tuple<size_t, size_t, bool>> open = {{0, 0, false}};
  while (!open.empty()) {
    const auto [i, j, in_segment] = open.back();
    open.pop_back();
    if (in_segment && i == a.end() && j == b.end()) return true;
    const std::optional<char> only = a.OnlyByte(i).has_value() ? a.OnlyByte(i) : b.OnlyByte(j);
    for (const char c : Following(only, letters)) {
      bool then = false;
      if (!MayFollow(in_segment, c, &then)) continue;
      a.Step(i, c, [&, at = j](size_t next_i) {
        b.Step(at, c, [&](size_t next_j) {
          const size_t n = index(next_i, next_j, then);
          if (seen[n]) return;
          seen[n] = true;
          open.emplace_back(next_i, next_j, then);
        });
      });
    }
  }
  return false;
}

bool ChannelPattern::Contains(const ChannelPattern& other) const {
  if (text_ == other.text_ || text_ == "**") return true;
  if (!other.has_wildcard()) return Matches(other.text_);
  if (!has_wildcard() || !BeginAlike(prefix(), other.prefix())) return false;
  if (ends_open()) {
    // What `other` leaves open before that is not all of this one.
    if (other.prefix().size() < prefix().size()) return false;
    if (tokens_.back().kind == Kind::kAny) return true;
    return !other.HasSeparatorAfter(prefix().size()) &&
           std::none_of(other.tokens_.begin(), other.tokens_.end(),
                        [](const Token& token) { return token.kind == Kind::kAny; });
  }

  // Every way through `other`, with all the states that this one may be in by then: a name that
  // ends the one and not the other is one that `other` has alone.
  const Automaton all(text_);
  const Automaton part(other.text_);
  const std::vector<char> letters = Letters(all, part);
  struct Pair {
    size_t at;
    bool in_segment;
    States states;
    auto operator<=>(const Pair&) const = default;
  };
  Pair first{.at = 0, .in_segment = false, .states = {}};
  first.states.Add(0);
  std::set<Pair> seen = {first};
  std::deque<Pair> open = {first};
  while (!open.empty()) {
    const Pair pair = open.front();
    open.pop_front();
    if (pair.in_segment && pair.at == part.end() && !pair.states.Has(all.end())) return false;
    for (const char c : Following(part.OnlyByte(pair.at), letters)) {
      Pair next;
      if (!MayFollow(pair.in_segment, c, &next.in_segment)) continue;
      bool moved = false;
      part.Step(pair.at, c, [&](size_t at) {
        if (!moved) {
          moved = true;
          for (size_t i = 0; i <= all.end(); ++i) {
            if (pair.states.Has(i)) all.Step(i, c, [&](size_t to) { next.states.Add(to); });
          }
        }
        next.at = at;
        if (!seen.insert(next).second) return;
        if (seen.size() > kMostPairs) return;
        open.push_back(next);
      });
    }
    if (seen.size() > kMostPairs) return false;
  }
  return true;
}

}  // namespace spillway
