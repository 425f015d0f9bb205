#include "common/config/tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <sstream>

#include "absl/strings/str_cat.h"

namespace spillway::config {
namespace {

// Aliases make small files large and deep ones possible; both are bounded.
constexpr int kMaxDepth = 64;
constexpr int kMaxNodes = 200000;

// How many documents there are, up to two, and where the last of them has its first node. Not
// YAML::LoadAll, which takes documents without end out of some texts, such as " ,".
class Documents final : public YAML::EventHandler {
 public:
  explicit Documents(const std::string& text) {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    while (count < 2 && parser.HandleNextDocument(*this)) {
    }
  }
  int count = 0;
  YAML::Mark first;

 private:
  void OnDocumentStart(const YAML::Mark& mark) override {
    ++count;
    first = mark;
    any_ = false;
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { Note(mark); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { Note(mark); }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                const std::string&) override {
    Note(mark);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    Note(mark);
  }
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    Note(mark);
  }
  void OnMapEnd() override {}
  void Note(const YAML::Mark& mark) {
    if (!any_) first = mark;
    any_ = true;
  }

  bool any_ = false;
};

class Converter {
 public:
  Converter(const std::string& source, Errors& errors) : source_(source), errors_(errors) {}

  Tree Convert(const YAML::Node& node, const std::string& path, const Location& parent, int depth) {
    Tree tree;
    tree.location = At(node, parent);
    if (depth > kMaxDepth || ++nodes_ > kMaxNodes) {
      if (!overflow_) errors_.Add(tree.location, "", "nested too deeply or too large");
      overflow_ = true;
      return tree;
    }
    switch (node.Type()) {
      case YAML::NodeType::Undefined:
      case YAML::NodeType::Null:
        break;
      case YAML::NodeType::Scalar:
        tree.kind = Tree::Kind::kScalar;
        tree.scalar = node.Scalar();
        break;
      case YAML::NodeType::Sequence:
        tree.kind = Tree::Kind::kList;
        for (const YAML::Node& item : node) {
          tree.items.push_back(Convert(item, absl::StrCat(path, "[", tree.items.size(), "]"),
                                       tree.location, depth + 1));
          if (overflow_) break;
        }
        break;
      case YAML::NodeType::Map:
        ConvertMap(node, path, depth, tree);
        break;
    }
    return tree;
  }

 private:
  void ConvertMap(const YAML::Node& node, const std::string& path, int depth, Tree& tree) {
    tree.kind = Tree::Kind::kMap;
    for (const auto& pair : node) {
      const Location key_location = At(pair.first, tree.location);
      if (!pair.first.IsScalar()) {
        errors_.Add(key_location, path, "a key must be a plain text");
        continue;
      }
      const std::string& key = pair.first.Scalar();
      const std::string key_path = path.empty() ? key : absl::StrCat(path, ".", key);
      if (const Tree::Entry* first = tree.Find(key)) {
        errors_.Add(key_location, key_path,
                    absl::StrCat("duplicate key, first given in line ", first->key_location.line));
        continue;
      }
      tree.entries.push_back(
          {key, key_location, Convert(pair.second, key_path, key_location, depth + 1)});
      if (overflow_) break;
    }
  }

  Location At(const YAML::Node& node, const Location& parent) const {
    const YAML::Mark mark = node.Mark();
    if (mark.is_null()) return parent;
    return {source_, mark.line + 1};
  }

  const std::string& source_;
  Errors& errors_;
  int nodes_ = 0;
  bool overflow_ = false;
};

}  // namespace

const Tree::Entry* Tree::Find(std::string_view key) const {
  for (const Entry& entry : entries) {
    if (entry.key == key) return &entry;
  }
  return nullptr;
}

Tree::Entry* Tree::Find(std::string_view key) {
  return const_cast<Entry*>(static_cast<const Tree*>(this)->Find(key));
}

std::string Tree::Describe() const {
  switch (kind) {
    case Kind::kNull:
      return "nothing";
    case Kind::kMap:
      return "a mapping";
    case Kind::kList:
      return "a list";
    case Kind::kScalar:
      break;
  }
  return absl::StrCat("\"", scalar, "\"");
}

Tree ParseYaml(const std::string& text, const std::string& source, Errors& errors) {
  try {
    const Documents documents(text);
    if (documents.count > 1) {
      errors.Add({source, documents.first.line + 1}, "",
                 "expected one YAML document, found several");
      return {};
    }
    if (documents.count == 0) return {};
    return Converter(source, errors).Convert(YAML::Load(text), "", {source, 1}, 0);
  } catch (const YAML::Exception& error) {
    errors.Add({source, error.mark.is_null() ? 0 : error.mark.line + 1}, "",
               absl::StrCat("not valid YAML: ", error.msg));
  }
  return {};
}

void MergeTree(Tree& base, Tree over) {
  if (over.kind == Tree::Kind::kNull && base.kind != Tree::Kind::kNull) return;
  if (base.kind != Tree::Kind::kMap || over.kind != Tree::Kind::kMap) {
    base = std::move(over);
    return;
  }
  for (Tree::Entry& entry : over.entries) {
    if (Tree::Entry* existing = base.Find(entry.key)) {
      existing->key_location = entry.key_location;
      MergeTree(existing->value, std::move(entry.value));
    } else {
      base.entries.push_back(std::move(entry));
    }
  }
}

}  // namespace spillway::config
