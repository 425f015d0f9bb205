#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace spillway::edge {

// What a placeholder of a template stands for.
enum class JsonField : uint8_t {
  kNone,
  kChannel,
  kClientId,  // {id}: of the client's command
  kCode,
  kComplete,
  kConnectionId,
  kData,
  kDeleted,
  kDuplicate,
  kDurable,
  kEphemeral,
  kEvents,
  kExpiresMs,
  kWithinMs,
  kAddress,
  kReconnect,
  kAfterMs,
  kFrequency,
  kFrom,
  kHeartbeatMs,
  kKey,
  kLast,
  kMatched,
  kMessage,
  kNode,
  kNowIso,
  kNowMs,
  kOffset,
  kPartition,
  kPattern,
  kPosition,
  kProtocol,
  kCount,
  kReason,
  kSinceMs,
  kSlot,
  kSnapshot,
  kSource,
  kTimeIso,
  kTimeMs,
  kTo,
  kTraceId,
  kType,
  kUserId,
};

std::string_view JsonFieldName(JsonField field);

// A set of fields.
class JsonFields {
 public:
  constexpr JsonFields() = default;
  constexpr JsonFields(std::initializer_list<JsonField> fields) {
    for (JsonField field : fields) bits_ |= Bit(field);
  }
  constexpr bool Has(JsonField field) const { return (bits_ & Bit(field)) != 0; }

 private:
  static constexpr uint64_t Bit(JsonField field) { return uint64_t{1} << static_cast<int>(field); }
  uint64_t bits_ = 0;
};

// A JSON value with placeholders, compiled to pieces: {name} stands for a whole JSON value (null
// when there is none, false for a flag that is not set), {name?} as a member's value makes the
// member go away then (it may not be the first of its object). Blanks between tokens are dropped.
// Immutable: usable from any thread.
class JsonTemplate {
 public:
  // Empty text gives an empty template. InvalidArgument says what is wrong at which character.
  static absl::StatusOr<JsonTemplate> Compile(std::string_view text, JsonFields allowed);

  bool empty() const { return pieces_.empty(); }

  // Appends the text; `absent`: fields that have no value, which are not asked for where they are
  // optional. `append(field, out)` appends a field's JSON value, or nothing and returns
  // false when there is none, or when it is a flag that is not set.
  template <typename Append>
  void Render(std::string* out, Append&& append, JsonFields absent = {}) const {
    for (const Piece& piece : pieces_) {
      out->append(piece.text);
      if (piece.field == JsonField::kNone) continue;
      if (!piece.optional) {
        if (!append(piece.field, out)) out->append(IsFlag(piece.field) ? "false" : "null");
        continue;
      }
      if (absent.Has(piece.field)) continue;
      const size_t mark = out->size();
      out->append(piece.member);
      if (!append(piece.field, out)) out->resize(mark);
    }
  }

 private:
  friend class JsonTemplateCompiler;

  static constexpr bool IsFlag(JsonField field) {
    return field == JsonField::kComplete || field == JsonField::kDeleted ||
           field == JsonField::kDuplicate || field == JsonField::kDurable ||
           field == JsonField::kEphemeral || field == JsonField::kLast ||
           field == JsonField::kReconnect || field == JsonField::kSnapshot;
  }

  // A text, then a field.
  struct Piece {
    std::string text;
    JsonField field = JsonField::kNone;
    bool optional = false;
    std::string member;  // optional: what stands before the value
  };
  std::vector<Piece> pieces_;
};

}  // namespace spillway::edge
