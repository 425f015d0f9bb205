#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/ingest/normalise/source.h"

namespace spillway::ingest {

// Text with sources in braces: "price:{/symbol|key}"; "{{" and "}}" are braces. Immutable.
class TextTemplate {
 public:
  static absl::StatusOr<TextTemplate> Parse(std::string_view text, const Source::Limits& limits);

  TextTemplate ForTopic(const TopicParts& topic) const;

  // Appends the text; on false a source was absent: `missing` names it, and `out` is as before.
  // After ForTopic.
  bool Render(const RecordContext& context, std::string& out, std::string_view* missing) const;

  // The one source of a template that is nothing else: its text needs no copy.
  const Source* only_source() const;

  // As a channel pattern: what differs from record to record becomes "**". After ForTopic.
  std::string Pattern() const;

  const std::string& text() const { return text_; }
  bool empty() const { return pieces_.empty(); }
  // The text of a template without sources (after ForTopic: that is the same for every record).
  const std::string* constant() const;
  bool has_sources() const;
  bool uses_json() const;
  bool uses_headers() const;

 private:
  struct Piece {
    std::string literal;  // if there is no source
    std::optional<Source> source;
  };

  void AddLiteral(std::string_view text);

  std::string text_;
  std::vector<Piece> pieces_;
};

}  // namespace spillway::ingest
