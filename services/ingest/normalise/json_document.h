#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "services/ingest/normalise/json_pointer.h"

namespace spillway::ingest {

// One value inside a JsonDocument.
struct JsonNode {
  enum class Type : uint8_t { kObject, kArray, kString, kNumber, kTrue, kFalse, kNull };

  std::string_view key;   // unescaped name, in an object
  std::string_view raw;   // the value as it was written, without white space around it
  std::string_view text;  // kString: unescaped; other scalars: as `raw`; empty for containers
  uint32_t next = 0;      // index of the node after this one and all below it
  Type type = Type::kNull;
};

// A JSON text taken apart: one node for each value, in the order of the text. Everything is looked
// at, so what parses is valid JSON throughout (RFC 8259, UTF-8, names in an object unique) and may
// be sent on as it is. Numbers are not converted: digits are kept as written, however many.
// Bounded: texts up to 2 GiB, 128 levels.
//
// Belongs to one normaliser, on its thread. Keeps its memory for the next Parse.
class JsonDocument {
 public:
  // False if `text` is not JSON; then error() says why, and there are no nodes. Nodes point into
  // `text`, and what was unescaped into this document: good until the next Parse.
  bool Parse(std::string_view text);
  void Clear() { nodes_.clear(); }
  const std::string& error() const { return error_; }

  bool empty() const { return nodes_.empty(); }
  const JsonNode& root() const { return nodes_[0]; }
  // The node at a pointer from `from`; nullptr if there is none.
  const JsonNode* Find(const JsonPointer& pointer, const JsonNode* from = nullptr) const;
  // Children of a container, by index: for (i = FirstChild(n); i != n.next; i = node(i).next).
  uint32_t FirstChild(const JsonNode& node) const {
    return static_cast<uint32_t>(&node - nodes_.data()) + 1;
  }
  const JsonNode& node(uint32_t index) const { return nodes_[index]; }

 private:
  class Scanner;

  bool HasDuplicateNames(uint32_t object);
  bool Fail(std::string_view why);

  std::string unescaped_;  // of strings with escapes
  std::vector<JsonNode> nodes_;
  std::vector<std::string_view> names_;  // scratch
  std::string error_;
};

}  // namespace spillway::ingest
