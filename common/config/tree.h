#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/config/errors.h"

namespace spillway::config {

// A parsed configuration source before it has types: YAML with places, mergeable. A plain value.
struct Tree {
  enum class Kind { kNull, kScalar, kMap, kList };
  struct Entry;

  Kind kind = Kind::kNull;
  Location location;
  std::string scalar;
  std::vector<Entry> entries;  // kMap, in order, keys unique
  std::vector<Tree> items;     // kList

  // The entry of a map; nullptr when there is none.
  const Entry* Find(std::string_view key) const;
  Entry* Find(std::string_view key);
  // "a list", "a mapping", "nothing", or the quoted scalar.
  std::string Describe() const;
};

struct Tree::Entry {
  std::string key;
  Location key_location;
  Tree value;
};

// Parses one YAML document. What is wrong (syntax, duplicate keys, several documents) goes to
// `errors`.
Tree ParseYaml(const std::string& text, const std::string& source, Errors& errors);

// Puts `over` on top of `base`: mappings merge key by key, everything else replaces; null keeps
// `base`.
void MergeTree(Tree& base, Tree over);

}  // namespace spillway::config
