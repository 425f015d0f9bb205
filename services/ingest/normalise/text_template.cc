#include "services/ingest/normalise/text_template.h"

#include <algorithm>

#include "common/base/strings.h"

namespace spillway::ingest {

void TextTemplate::AddLiteral(std::string_view text) {
  if (text.empty()) return;
  if (pieces_.empty() || pieces_.back().source) pieces_.emplace_back();
  pieces_.back().literal += text;
}

absl::StatusOr<TextTemplate> TextTemplate::Parse(std::string_view text,
                                                 const Source::Limits& limits) {
  TextTemplate result;
  result.text_ = std::string(text);
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c != '{' && c != '}') {
      const size_t end = std::min(text.find_first_of("{}", i), text.size());
      result.AddLiteral(text.substr(i, end - i));
      i = end;
    } else if (i + 1 < text.size() && text[i + 1] == c) {
      result.AddLiteral(text.substr(i, 1));
      i += 2;
    } else if (c == '}') {
      return absl::InvalidArgumentError("a } without its {; write }} for a brace");
    } else {
      const size_t end = text.find('}', i);
      if (end == std::string_view::npos) {
        return absl::InvalidArgumentError("a { without its }; write {{ for a brace");
      }
      absl::StatusOr<Source> source = Source::Parse(text.substr(i + 1, end - i - 1), limits);
      if (!source.ok()) return source.status();
      result.pieces_.push_back({"", *std::move(source)});
      i = end + 1;
    }
  }
  return result;
}

TextTemplate TextTemplate::ForTopic(const TopicParts& topic) const {
  TextTemplate bound;
  bound.text_ = text_;
  for (const Piece& piece : pieces_) {
    if (!piece.source) {
      bound.AddLiteral(piece.literal);
      continue;
    }
    Source source = piece.source->ForTopic(topic);
    if (const auto constant = source.constant()) {
      bound.AddLiteral(*constant);
    } else {
      bound.pieces_.push_back({"", std::move(source)});
    }
  }
  return bound;
}

bool TextTemplate::Render(const RecordContext& context, std::string& out,
                          std::string_view* missing) const {
  const size_t before = out.size();
  for (const Piece& piece : pieces_) {
    if (!piece.source) {
      out += piece.literal;
      continue;
    }
    const std::optional<SourceValue> value = piece.source->Text(context);
    if (!value) {
      if (missing != nullptr) *missing = piece.source->text();
      out.resize(before);
      return false;
    }
    out += value->text;
  }
  return true;
}

const Source* TextTemplate::only_source() const {
  return pieces_.size() == 1 && pieces_[0].source ? &*pieces_[0].source : nullptr;
}

std::string TextTemplate::Pattern() const {
  std::string pattern;
  for (const Piece& piece : pieces_) {
    if (!piece.source) {
      pattern += piece.literal;
    } else if (!pattern.ends_with("**")) {
      pattern += "**";
    }
  }
  return pattern;
}

const std::string* TextTemplate::constant() const {
  static const std::string kEmpty;
  if (pieces_.empty()) return &kEmpty;
  return pieces_.size() == 1 && !pieces_[0].source ? &pieces_[0].literal : nullptr;
}

bool TextTemplate::has_sources() const {
  return std::any_of(pieces_.begin(), pieces_.end(),
                     [](const Piece& piece) { return piece.source.has_value(); });
}

bool TextTemplate::uses_json() const {
  return std::any_of(pieces_.begin(), pieces_.end(),
                     [](const Piece& piece) { return piece.source && piece.source->uses_json(); });
}

bool TextTemplate::uses_headers() const {
  return std::any_of(pieces_.begin(), pieces_.end(), [](const Piece& piece) {
    return piece.source && piece.source->uses_headers();
  });
}

}  // namespace spillway::ingest
