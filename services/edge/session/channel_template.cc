#include "services/edge/session/channel_template.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/strings.h"
#include "common/channel/channel_name.h"

namespace spillway::edge {
namespace {

constexpr char kValue = '\x01';  // no name has one

absl::Status Wrong(std::string_view text, size_t at, std::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("channel template '", Abs(text), "', character ", at + 1, ": ", Abs(what)));
}

// Why the values of one client could come to the name of another's; empty: they cannot. `sample` is
// the template with `kValue` for placeholders.
std::string_view AmbiguityIn(std::string_view sample, size_t placeholders, bool any) {
  size_t in_segment = 0;
  bool wildcard = false;
  for (const char c : sample) {
    if (IsChannelSeparator(c)) in_segment = 0;
    in_segment += c == kValue ? 1 : 0;
    wildcard = wildcard || c == '*';
    if (in_segment > 1) return "two placeholders need a separator between them: '.', ':' or '/'";
  }
  for (const std::string_view next_to : {"*\x01", "\x01*"}) {
    if (sample.find(next_to) != std::string_view::npos) {
      return "a '*' next to a placeholder would match what begins or ends like its value: put a "
             "separator between them";
    }
  }
  if (any && (wildcard || placeholders > 1)) {
    return "a placeholder for several segments stands alone: no '*' and no other placeholder";
  }
  return {};
}

}  // namespace

absl::StatusOr<ChannelTemplate> ChannelTemplate::Compile(std::string_view text, Kind kind) {
  ChannelTemplate result;
  result.text_ = std::string(text);
  result.kind_ = kind;
  std::string sample;  // with a sign for each value
  bool any = false;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '}') return Wrong(text, at, "'}' without '{'");
    if (text[at] == kValue) return Wrong(text, at, "a control character");
    if (text[at] != '{') {
      result.tail_.push_back(text[at]);
      sample.push_back(text[at]);
      continue;
    }
    const size_t end = text.find('}', at);
    if (end == std::string_view::npos) return Wrong(text, at, "'}' is missing");
    std::string_view name = text.substr(at + 1, end - at - 1);
    Piece piece;
    if (name.ends_with("**")) {
      any = piece.any = true;
      name.remove_suffix(2);
    }
    if (name == "sub") {
      piece.source = Source::kSub;
    } else if (name.starts_with("claim.") && name.size() > 6) {
      piece.source = Source::kClaim;
      piece.name = std::string(name.substr(6));
    } else if (name.starts_with("param.") && name.size() > 6) {
      piece.source = Source::kParam;
      piece.name = std::string(name.substr(6));
    } else {
      return Wrong(text, at, "known are {sub}, {claim.NAME} and {param.NAME}");
    }
    piece.literal = std::move(result.tail_);
    result.tail_.clear();
    result.pieces_.push_back(std::move(piece));
    sample.push_back(kValue);
    at = end;
  }
  if (kind == Kind::kKey) return result;
  if (const std::string_view why = AmbiguityIn(sample, result.pieces_.size(), any); !why.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("channel template '", Abs(text), "': ", Abs(why)));
  }
  std::replace(sample.begin(), sample.end(), kValue, 'x');  // which is good everywhere
  const absl::Status status =
      kind == Kind::kPattern ? ChannelPattern::Parse(sample).status() : ValidateChannelName(sample);
  if (!status.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("channel template '", Abs(text), "': ", status.message()));
  }
  return result;
}

std::string ChannelTemplate::ParamBut(const std::vector<std::string_view>& names) const {
  for (const Piece& piece : pieces_) {
    if (piece.source == Source::kParam &&
        std::find(names.begin(), names.end(), piece.name) == names.end()) {
      return piece.name;
    }
  }
  return {};
}

std::vector<std::string> ChannelTemplate::ValuesOf(const Piece& piece, const ClientValues& values) {
  if (piece.source == Source::kParam) {
    for (const auto& [name, value] : values.params) {
      if (name == piece.name && !value.empty()) return {std::string(value)};
    }
    return {};
  }
  if (values.claims == nullptr) return {};
  if (piece.source == Source::kSub) {
    if (values.claims->sub().empty()) return {};
    return {values.claims->sub()};
  }
  const auth::Claim* claim = values.claims->Find(piece.name);
  return claim == nullptr ? std::vector<std::string>() : claim->AsList();
}

std::vector<std::string> ChannelTemplate::Expand(const ClientValues& values, bool* unfit) const {
  std::vector<std::string> names = {""};
  for (const Piece& piece : pieces_) {
    const std::vector<std::string> items = ValuesOf(piece, values);
    std::vector<std::string> longer;
    for (const std::string& name : names) {
      for (const std::string& item : items) {
        if (longer.size() == kMaxNames) break;
        // An empty value would merge segments: it counts as absent.
        if (item.empty()) continue;
        if (kind_ == Kind::kKey ||
            (piece.any ? IsValidChannelName(item) : IsChannelSegment(item))) {
          longer.push_back(absl::StrCat(name, piece.literal, item));
        } else if (unfit != nullptr) {
          *unfit = true;
        }
      }
    }
    names = std::move(longer);
  }
  for (std::string& name : names) name += tail_;
  return names;
}

}  // namespace spillway::edge
