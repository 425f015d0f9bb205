#include "services/edge/session/channel_template.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/strings.h"
#include "common/channel/channel_name.h"

namespace spillway::edge {
namespace {

absl::Status Wrong(std::string_view text, size_t at, std::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("channel template '", Abs(text), "', character ", at + 1, ": ", Abs(what)));
}

}  // namespace

absl::StatusOr<ChannelTemplate> ChannelTemplate::Compile(std::string_view text) {
  ChannelTemplate result;
  result.text_ = std::string(text);
  std::string sample;  // with a value that is good everywhere
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '}') return Wrong(text, at, "'}' without '{'");
    if (text[at] != '{') {
      result.tail_.push_back(text[at]);
      sample.push_back(text[at]);
      continue;
    }
    const size_t end = text.find('}', at);
    if (end == std::string_view::npos) return Wrong(text, at, "'}' is missing");
    const std::string_view name = text.substr(at + 1, end - at - 1);
    Piece piece;
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
    sample.push_back('x');
    at = end;
  }
  if (absl::Status status = ValidateChannelName(sample); !status.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("channel template '", Abs(text), "': ", status.message()));
  }
  return result;
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

std::vector<std::string> ChannelTemplate::Expand(const ClientValues& values) const {
  std::vector<std::string> names = {""};
  for (const Piece& piece : pieces_) {
    const std::vector<std::string> items = ValuesOf(piece, values);
    std::vector<std::string> longer;
    for (const std::string& name : names) {
      for (const std::string& item : items) {
        if (longer.size() == kMaxNames) break;
        // An empty value would merge segments: it counts as absent.
        if (!item.empty()) longer.push_back(absl::StrCat(name, piece.literal, item));
      }
    }
    names = std::move(longer);
  }
  for (std::string& name : names) name += tail_;
  return names;
}

}  // namespace spillway::edge
