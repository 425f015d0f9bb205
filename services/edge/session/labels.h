#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "common/http/http_types.h"
#include "services/edge/session/channel_template.h"

namespace spillway::edge {

// What operators tell connections apart by: names with values, by name. Names are configured, of
// lower-case letters, digits, '.', '_' and '-'; a value has 1 to kMaxLabelBytes bytes of UTF-8
// without control characters.
using LabelList = std::vector<std::pair<std::string, std::string>>;
inline constexpr size_t kMaxLabels = 8;  // of one connection
inline constexpr size_t kMaxLabelBytes = 64;

bool IsLabelName(std::string_view name);

// The labels of an endpoint's connections: a template for each, with {sub}, {claim.NAME},
// {param.NAME}, {query.NAME} and {header.NAME}. Immutable: usable from any thread.
class LabelRules {
 public:
  // Values of headers and query parameters, in the order in which the templates name them: all that
  // is needed of the upgrade request.
  using Inputs = std::vector<std::string>;

  // InvalidArgument names the label and what is wrong with it.
  static absl::StatusOr<LabelRules> Compile(
      const std::map<std::string, std::string, std::less<>>& templates);

  bool empty() const { return rules_.empty(); }
  // Whether a template shows that header (in lower case) or query parameter to operators.
  bool ShowsHeader(std::string_view name) const;
  bool ShowsQuery(std::string_view name) const;

  Inputs InputsOf(const http::Request& request) const;
  // A label is left out where one of its values is absent or cannot be shown. What is too long is
  // cut.
  LabelList Expand(const ClientValues& client, const Inputs& inputs) const;

 private:
  enum class Source : uint8_t { kText, kSub, kClaim, kParam, kQuery, kHeader };
  struct Piece {
    Source source = Source::kText;
    std::string text;  // a literal, or a name
  };
  struct Rule {
    std::string name;
    std::vector<Piece> pieces;
  };

  static absl::StatusOr<std::vector<Piece>> Parse(std::string_view text);
  bool Shows(Source source, std::string_view name) const;

  std::vector<Rule> rules_;  // by name
};

// The sets of labels that the connections of one worker have, each kept once: most clients share
// theirs with thousands. Belongs to the worker's thread; outlives what it gives out.
class LabelSets {
 public:
  // A connection's share in a set: one pointer wide.
  class Share {
   public:
    Share() = default;
    Share(Share&& other) noexcept : set_(std::exchange(other.set_, nullptr)) {}
    Share& operator=(Share&& other) noexcept {
      std::swap(set_, other.set_);
      return *this;
    }
    ~Share();
    // Empty if there are none.
    const LabelList& labels() const;

   private:
    friend class LabelSets;
    struct Set;
    explicit Share(Set* set) : set_(set) {}
    Set* set_ = nullptr;
  };

  LabelSets() = default;
  ~LabelSets();
  LabelSets(const LabelSets&) = delete;
  LabelSets& operator=(const LabelSets&) = delete;

  Share Of(LabelList labels);
  size_t size() const { return sets_.size(); }

 private:
  using Set = Share::Set;
  struct Hash {
    using is_transparent = void;
    size_t operator()(const LabelList& labels) const;
    size_t operator()(const Set* set) const;
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const Set* a, const LabelList& labels) const;
    bool operator()(const Set* a, const Set* b) const { return a == b; }
  };

  absl::flat_hash_set<Set*, Hash, Equal> sets_;
};

// "name=value", as operators give it; nothing if it is none.
struct LabelFilter {
  std::string name;
  std::string value;

  // InvalidArgument says what is wrong.
  static absl::StatusOr<LabelFilter> Parse(std::string_view text);
  bool Matches(const LabelList& labels) const;
};

}  // namespace spillway::edge
