#include "services/ingest/normalise/json_document.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "services/ingest/normalise/json_scanner.h"

namespace spillway::ingest {
namespace {

constexpr uint32_t kPairwiseNames = 16;
constexpr size_t kKeptBytes = 1 << 20;

}  // namespace

bool JsonDocument::Fail(std::string_view why) {
  error_ = why;
  return false;
}

bool JsonDocument::Parse(std::string_view text) {
  nodes_.clear();
  error_.clear();
  if (unescaped_.capacity() > kKeptBytes && text.size() < kKeptBytes) {
    std::string().swap(unescaped_);
  }
  unescaped_.clear();
  if (text.size() > std::numeric_limits<uint32_t>::max() / 2) return Fail("too large");
  if (Scanner(*this, text).Run()) return true;
  nodes_.clear();
  return false;
}

bool JsonDocument::HasDuplicateNames(uint32_t object) {
  names_.clear();
  for (uint32_t i = object + 1; i < nodes_[object].next; i = nodes_[i].next) {
    names_.push_back(nodes_[i].key);
  }
  if (names_.size() <= kPairwiseNames) {
    for (size_t i = 1; i < names_.size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        if (names_[i] == names_[j]) return true;
      }
    }
    return false;
  }
  std::sort(names_.begin(), names_.end());
  return std::adjacent_find(names_.begin(), names_.end()) != names_.end();
}

const JsonNode* JsonDocument::Find(const JsonPointer& pointer, const JsonNode* from) const {
  if (nodes_.empty()) return nullptr;
  const JsonNode* at = from == nullptr ? nodes_.data() : from;
  for (const std::string& token : pointer) {
    const JsonNode* found = nullptr;
    if (at->type == JsonNode::Type::kObject) {
      for (uint32_t i = FirstChild(*at); i != at->next; i = nodes_[i].next) {
        if (nodes_[i].key == token) {
          found = &nodes_[i];
          break;
        }
      }
    } else if (at->type == JsonNode::Type::kArray) {
      uint32_t wanted = 0;
      const char* end = token.data() + token.size();
      const auto [rest, error] = std::from_chars(token.data(), end, wanted);
      if (error != std::errc() || rest != end || (token[0] == '0' && token.size() > 1))
        return nullptr;
      for (uint32_t i = FirstChild(*at); i != at->next; i = nodes_[i].next) {
        if (wanted-- == 0) {
          found = &nodes_[i];
          break;
        }
      }
    }
    if (found == nullptr) return nullptr;
    at = found;
  }
  return at;
}

}  // namespace spillway::ingest
