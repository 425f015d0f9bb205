// ChannelPattern: whether two patterns share names, or one has all of the other's.
//
// Both walk the two patterns side by side as automata, over names without empty segments. That
// names are at most 255 bytes of UTF-8 is not looked at: it can only take names away from both.

#include <algorithm>
#include <bitset>
#include <cstdint>
#include <deque>
#include <set>
#include <string_view>
#include <tuple>
#include <vector>

#include "common/channel/channel_name.h"
#include "common/channel/channel_pattern.h"

namespace spillway {
namespace {

// Pairs of states that Contains looks at before it gives up: some milliseconds.
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

using States = std::bitset<kMaxChannelBytes + 1>;

bool Less(const States& a, const States& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i]) return b[i];
  }
  return false;
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

bool ChannelPattern::Intersects(const ChannelPattern& other) const {
  // Most that share nothing begin differently.
  if (!BeginAlike(prefix(), other.prefix())) return false;
  if (!has_wildcard()) return other.Matches(text_);
  if (!other.has_wildcard()) return Matches(other.text_);

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
    for (const char c : letters) {
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

  // Every way through `other`, with all the states that this one may be in by then: a name that
  // ends the one and not the other is one that `other` has alone.
  const Automaton all(text_);
  const Automaton part(other.text_);
  const std::vector<char> letters = Letters(all, part);
  struct Pair {
    size_t at;
    bool in_segment;
    States states;
    bool operator<(const Pair& b) const {
      if (at != b.at) return at < b.at;
      if (in_segment != b.in_segment) return b.in_segment;
      return Less(states, b.states);
    }
  };
  Pair first{.at = 0, .in_segment = false, .states = {}};
  first.states.set(0);
  std::set<Pair> seen = {first};
  std::deque<Pair> open = {first};
  while (!open.empty()) {
    const Pair pair = open.front();
    open.pop_front();
    if (pair.in_segment && pair.at == part.end() && !pair.states[all.end()]) return false;
    for (const char c : letters) {
      Pair next;
      if (!MayFollow(pair.in_segment, c, &next.in_segment)) continue;
      bool moved = false;
      part.Step(pair.at, c, [&](size_t at) {
        if (!moved) {
          moved = true;
          for (size_t i = 0; i <= all.end(); ++i) {
            if (pair.states[i]) all.Step(i, c, [&](size_t to) { next.states.set(to); });
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
