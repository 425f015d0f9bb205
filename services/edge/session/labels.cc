#include "services/edge/session/labels.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "absl/hash/hash.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/json_text.h"
#include "common/base/strings.h"

namespace spillway::edge {
namespace {

constexpr size_t kMaxNameBytes = 32;

absl::Status Wrong(std::string_view what) { return absl::InvalidArgumentError(Abs(what)); }

// The part of a value that may be shown; empty: none of it may.
std::string_view Shown(std::string_view value) {
  size_t size = 0;
  size_t kept = 0;
  while (size < value.size()) {
    const size_t length = Utf8SequenceLength(value.substr(size));
    const auto first = static_cast<unsigned char>(value[size]);
    if (length == 0 || first < 0x20 || first == 0x7f) return {};
    size += length;
    if (size <= kMaxLabelBytes) kept = size;
  }
  return value.substr(0, kept);
}

// The text of one value; nothing if it is absent.
std::optional<std::string> TextOf(const auth::Claims& claims, const std::string& name) {
  const auth::Claim* claim = claims.Find(name);
  return claim == nullptr ? std::nullopt : claim->AsText();
}

}  // namespace

bool IsLabelName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
                  c == '-';
         });
}

absl::StatusOr<std::vector<LabelRules::Piece>> LabelRules::Parse(std::string_view text) {
  constexpr std::pair<std::string_view, Source> kSources[] = {{"claim.", Source::kClaim},
                                                              {"param.", Source::kParam},
                                                              {"query.", Source::kQuery},
                                                              {"header.", Source::kHeader}};
  std::vector<Piece> pieces;
  for (size_t at = 0; at < text.size();) {
    const size_t brace = std::min(text.find_first_of("{}", at), text.size());
    if (brace > at) {
      pieces.push_back({Source::kText, std::string(text.substr(at, brace - at))});
      at = brace;
      continue;
    }
    const size_t end = text.find('}', at);
    if (text[at] == '}' || end == std::string_view::npos) {
      return Wrong("braces come in pairs: {sub}, {claim.NAME}");
    }
    const std::string_view name = text.substr(at + 1, end - at - 1);
    Piece piece;
    if (name == "sub") piece.source = Source::kSub;
    for (const auto& [prefix, source] : kSources) {
      if (!name.starts_with(prefix) || name.size() == prefix.size()) continue;
      piece = {source, std::string(name.substr(prefix.size()))};
    }
    if (piece.source == Source::kText) {
      return Wrong("known are {sub}, {claim.NAME}, {param.NAME}, {query.NAME} and {header.NAME}");
    }
    if (piece.source == Source::kHeader) {
      for (char& c : piece.text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    pieces.push_back(std::move(piece));
    at = end + 1;
  }
  return pieces;
}

absl::StatusOr<LabelRules> LabelRules::Compile(
    const std::map<std::string, std::string, std::less<>>& templates) {
  LabelRules result;
  if (templates.size() > kMaxLabels) {
    return Wrong(absl::StrCat("labels: ", templates.size(), ", and at most ", kMaxLabels));
  }
  for (const auto& [name, text] : templates) {
    const auto wrong = [&name = name](absl::string_view what) {
      return Wrong(absl::StrCat("label '", name, "': ", what));
    };
    if (!IsLabelName(name)) {
      return wrong("a name has 1 to 32 of a to z, 0 to 9, '.', '_' and '-'");
    }
    if (text.empty()) return wrong("it has no value");
    auto pieces = Parse(text);
    if (!pieces.ok()) return wrong(pieces.status().message());
    for (const Piece& piece : *pieces) {
      if (piece.source == Source::kText && Shown(piece.text) != piece.text) {
        return wrong("its text is too long, or has control characters");
      }
    }
    result.rules_.push_back({name, *std::move(pieces)});
  }
  return result;
}

bool LabelRules::Shows(Source source, std::string_view name) const {
  for (const Rule& rule : rules_) {
    for (const Piece& piece : rule.pieces) {
      if (piece.source == source && piece.text == name) return true;
    }
  }
  return false;
}

bool LabelRules::ShowsHeader(std::string_view name) const { return Shows(Source::kHeader, name); }
bool LabelRules::ShowsQuery(std::string_view name) const { return Shows(Source::kQuery, name); }

LabelRules::Inputs LabelRules::InputsOf(const http::Request& request) const {
  Inputs inputs;
  for (const Rule& rule : rules_) {
    for (const Piece& piece : rule.pieces) {
      if (piece.source == Source::kQuery) inputs.emplace_back(Shown(request.Query(piece.text)));
      if (piece.source == Source::kHeader) inputs.emplace_back(Shown(request.Header(piece.text)));
    }
  }
  return inputs;
}

LabelList LabelRules::Expand(const ClientValues& client, const Inputs& inputs) const {
  LabelList labels;
  size_t input = 0;
  for (const Rule& rule : rules_) {
    std::string value;
    bool absent = false;
    for (const Piece& piece : rule.pieces) {
      std::string_view one;
      std::optional<std::string> claim;
      switch (piece.source) {
        case Source::kText:
          one = piece.text;
          break;
        case Source::kSub:
          if (client.claims != nullptr) one = client.claims->sub();
          break;
        case Source::kClaim:
          if (client.claims != nullptr) claim = TextOf(*client.claims, piece.text);
          if (claim.has_value()) one = *claim;
          break;
        case Source::kParam:
          for (const auto& [name, given] : client.params) one = name == piece.text ? given : one;
          break;
        case Source::kQuery:
        case Source::kHeader:
          if (input < inputs.size()) one = inputs[input];
          ++input;
          break;
      }
      one = Shown(one);
      absent = absent || one.empty();
      value += one;
    }
    if (!absent) labels.emplace_back(rule.name, Shown(value));
  }
  return labels;
}

struct LabelSets::Share::Set {
  LabelSets* owner = nullptr;
  LabelList labels;
  size_t shares = 0;
};

LabelSets::Share::~Share() {
  if (set_ == nullptr || --set_->shares > 0) return;
  set_->owner->sets_.erase(set_);
  delete set_;
}

const LabelList& LabelSets::Share::labels() const {
  static const LabelList none;
  return set_ == nullptr ? none : set_->labels;
}

LabelSets::~LabelSets() {
  for (Set* set : sets_) delete set;
}

size_t LabelSets::Hash::operator()(const LabelList& labels) const {
  return absl::Hash<LabelList>()(labels);
}
size_t LabelSets::Hash::operator()(const Set* set) const { return (*this)(set->labels); }
bool LabelSets::Equal::operator()(const Set* a, const LabelList& labels) const {
  return a->labels == labels;
}

LabelSets::Share LabelSets::Of(LabelList labels) {
  if (labels.empty()) return Share();
  const auto found = sets_.find(labels);
  Set* set = found == sets_.end() ? nullptr : *found;
  if (set == nullptr) {
    set = std::make_unique<Set>(Set{this, std::move(labels)}).release();
    sets_.insert(set);
  }
  ++set->shares;
  return Share(set);
}

absl::StatusOr<LabelFilter> LabelFilter::Parse(std::string_view text) {
  const size_t equals = text.find('=');
  LabelFilter filter;
  filter.name = std::string(text.substr(0, equals));
  if (equals != std::string_view::npos) filter.value = std::string(text.substr(equals + 1));
  if (!IsLabelName(filter.name) || filter.value.empty() || filter.value.size() > kMaxLabelBytes) {
    return Wrong(absl::StrCat(
        "a label is given as NAME=VALUE, as ListConnections shows them: a value has 1 to ",
        kMaxLabelBytes, " bytes"));
  }
  return filter;
}

bool LabelFilter::Matches(const LabelList& labels) const {
  return std::any_of(labels.begin(), labels.end(), [this](const auto& label) {
    return label.first == name && label.second == value;
  });
}

}  // namespace spillway::edge
