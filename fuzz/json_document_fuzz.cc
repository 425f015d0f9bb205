// Values of records: what is taken for JSON is JSON by another parser, too.

#include <simdjson.h>

#include "fuzz/input.h"
#include "services/ingest/normalise/json_document.h"

using spillway::fuzz::Require;
using spillway::ingest::JsonDocument;
using spillway::ingest::JsonNode;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static JsonDocument document;
  static simdjson::dom::parser parser;
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (!document.Parse(text)) {
    Require(!document.error().empty(), "an error says why");
    return 0;
  }
  const JsonNode& root = document.root();
  const bool container =
      root.type == JsonNode::Type::kObject || root.type == JsonNode::Type::kArray;
  if (!container) return 0;
  simdjson::dom::element other;
  const auto error = parser.parse(simdjson::padded_string(text)).get(other);
  // The other one converts numbers, and has its own bound of depth.
  if (error == simdjson::NUMBER_ERROR || error == simdjson::DEPTH_ERROR) return 0;
  Require(error == simdjson::SUCCESS, "what is sent on as JSON is JSON");
  for (uint32_t i = document.FirstChild(root); i != root.next; i = document.node(i).next) {
    const std::string_view raw = document.node(i).raw;
    Require(raw.data() >= text.data() && raw.data() + raw.size() <= text.data() + text.size(),
            "nodes are within the text");
  }
  return 0;
}
