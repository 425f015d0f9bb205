#include "common/config/loader.h"

#include <algorithm>
#include <optional>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/base/strings.h"
#include "common/config/binder.h"
#include "common/config/interpolate.h"
#include "common/config/tree.h"
#include "common/config/validate.h"

namespace spillway::config {
namespace {

constexpr size_t kMaxFileBytes = 8 << 20;

void MergeText(const std::string& text, const std::string& source, Tree& tree, Errors& errors) {
  if (text.size() > kMaxFileBytes) {
    errors.Add({source, 0}, "", absl::StrCat("larger than ", kMaxFileBytes, " bytes"));
    return;
  }
  Tree parsed = ParseYaml(text, source, errors);
  if (parsed.kind != Tree::Kind::kMap && parsed.kind != Tree::Kind::kNull) {
    errors.Add(parsed.location, "",
               absl::StrCat("expected a mapping at the top, found ", parsed.Describe()));
    return;
  }
  MergeTree(tree, std::move(parsed));
}

void MergePreset(const std::string& name, const Sources& sources, const Environment& environment,
                 Tree& tree, Errors& errors) {
  std::vector<std::string> known;
  // A preset is a name, not a path: nothing outside the folders can be read by it.
  const bool plain = !name.empty() && name.find('/') == std::string::npos && name[0] != '.';
  for (const std::string& folder : sources.preset_folders) {
    for (const std::string& file : environment.ListFolder(folder)) {
      if (!absl::EndsWith(file, ".yaml")) continue;
      known.emplace_back(absl::StripSuffix(file, ".yaml"));
      if (!plain || known.back() != name) continue;
      const std::string path = absl::StrCat(folder, "/", file);
      const absl::StatusOr<std::string> text = environment.ReadFile(path);
      if (text.ok()) {
        MergeText(*text, path, tree, errors);
      } else {
        errors.Add({path, 0}, "", absl::StrCat("cannot be read: ", text.status().message()));
      }
      return;
    }
  }
  errors.Add({absl::StrCat("--preset ", name), 0}, "",
             known.empty() ? absl::StrCat("no such preset; none in ",
                                          absl::StrJoin(sources.preset_folders, ", "))
                           : absl::StrCat("no such preset; known: ", absl::StrJoin(known, ", ")));
}

// The part of the schema that a step of an override leads to.
const google::protobuf::FieldDescriptor* FieldOf(const google::protobuf::Descriptor* type,
                                                 const std::string& key) {
  return type == nullptr ? nullptr : type->FindFieldByName(key);
}

// Cuts "name" or "name[3]" off the front of `path`. False when it is neither.
bool NextStep(std::string_view& path, std::string& key, std::vector<size_t>& indexes) {
  const size_t end = std::min(path.find('.'), path.size());
  std::string_view step = path.substr(0, end);
  path.remove_prefix(end == path.size() ? end : end + 1);
  const size_t bracket = std::min(step.find('['), step.size());
  key = std::string(step.substr(0, bracket));
  step.remove_prefix(bracket);
  indexes.clear();
  while (!step.empty()) {
    const size_t close = step.find(']');
    size_t index = 0;
    if (step[0] != '[' || close == std::string_view::npos ||
        !absl::SimpleAtoi(Abs(step.substr(1, close - 1)), &index)) {
      return false;
    }
    indexes.push_back(index);
    step.remove_prefix(close + 1);
  }
  return !key.empty();
}

void ApplyOverride(const std::string& text, Tree& tree, Errors& errors) {
  const size_t equals = text.find('=');
  const Location location{absl::StrCat("--set ", text.substr(0, equals)), 0};
  if (equals == std::string::npos || equals == 0) {
    errors.Add({"--set", 0}, "", absl::StrCat("expected key.path=value, found \"", text, "\""));
    return;
  }
  Errors value_errors;
  Tree value = ParseYaml(text.substr(equals + 1), location.source, value_errors);
  if (!value_errors.empty()) {
    errors.Add(location, "", "the value is not valid YAML");
    return;
  }
  value.location = location;
  Tree* node = &tree;
  const google::protobuf::Descriptor* type = v1::Config::descriptor();
  std::string_view path(text.data(), equals);
  bool in_map = false;
  while (!path.empty()) {
    std::string key;
    std::vector<size_t> indexes;
    if (in_map) {  // keys of a map may have dots in them
      key = std::string(path);
      path = {};
    } else if (!NextStep(path, key, indexes)) {
      errors.Add(location, "", "not a key path such as a.b[0].c");
      return;
    }
    if (node->kind != Tree::Kind::kMap) *node = Tree{Tree::Kind::kMap, location, {}, {}, {}};
    Tree::Entry* entry = node->Find(key);
    if (entry == nullptr) {
      node->entries.push_back({key, location, Tree{}});
      entry = &node->entries.back();
    }
    entry->key_location = location;
    node = &entry->value;
    for (const size_t index : indexes) {
      if (node->kind != Tree::Kind::kList || index > node->items.size()) {
        errors.Add(location, "",
                   absl::StrCat("there is no element ", index, " in \"", key, "\"; it has ",
                                node->items.size()));
        return;
      }
      if (index == node->items.size()) node->items.push_back(Tree{});
      node = &node->items[index];
    }
    const google::protobuf::FieldDescriptor* field = FieldOf(type, key);
    in_map = field != nullptr && field->is_map();
    type = field == nullptr || in_map ? nullptr : field->message_type();
  }
  *node = std::move(value);
}

// Makes values absent that need something from outside that is not there. True if there were any.
bool BlankUnknown(const Environment& environment, Tree& tree) {
  if (tree.kind == Tree::Kind::kMap || tree.kind == Tree::Kind::kList) {
    bool blanked = false;
    for (Tree::Entry& entry : tree.entries) {
      blanked = BlankUnknown(environment, entry.value) || blanked;
    }
    for (Tree& item : tree.items) blanked = BlankUnknown(environment, item) || blanked;
    return blanked;
  }
  if (Interpolate(tree.scalar, environment).ok()) return false;
  tree.kind = Tree::Kind::kNull;
  tree.scalar.clear();
  return true;
}

// The other tier's section, in a file of both: its secrets need not be here. Such values count as
// absent, and the rules that need them are left to that tier.
std::set<std::string> BlankOtherSections(const Sources& sources, const Environment& environment,
                                         Tree& tree) {
  std::set<std::string> blanked;
  if (sources.sections.empty()) return blanked;
  for (Tree::Entry& entry : tree.entries) {
    const bool wanted = std::find(sources.sections.begin(), sources.sections.end(), entry.key) !=
                        sources.sections.end();
    if (!wanted && BlankUnknown(environment, entry.value)) blanked.insert(entry.key);
  }
  return blanked;
}

void CollectWarnings(const google::protobuf::RepeatedPtrField<std::string>& patterns,
                     const Environment& environment, std::set<std::string>& warned) {
  for (const std::string& name : environment.Names()) {
    for (const std::string& pattern : patterns) {
      if (MatchesWildcard(pattern, name)) warned.insert(name);
    }
  }
}

}  // namespace

absl::StatusOr<Loaded> Load(const Sources& sources, const Environment& environment) {
  Errors errors;
  Tree tree;
  for (const std::string& preset : sources.presets) {
    MergePreset(preset, sources, environment, tree, errors);
  }
  for (const std::string& file : sources.files) {
    const absl::StatusOr<std::string> text = environment.ReadFile(file);
    if (text.ok()) {
      MergeText(*text, file, tree, errors);
    } else {
      errors.Add({file, 0}, "", absl::StrCat("cannot be read: ", text.status().message()));
    }
  }
  for (const std::string& text : sources.overrides) ApplyOverride(text, tree, errors);

  const std::set<std::string> blanked = BlankOtherSections(sources, environment, tree);
  Loaded loaded;
  Bind(tree, environment, loaded.config, errors, loaded.locations);
  for (const std::string& section : sources.sections) {
    if (tree.Find(section) == nullptr && errors.empty()) {
      errors.Add({absl::StrJoin(sources.files, ", "), 0}, section,
                 "this section is needed here, but missing");
    }
  }
  // Rules between keys make sense only once every key is sound by itself.
  if (errors.empty()) {
    v1::Config whole = loaded.config;
    if (blanked.contains("ingest")) whole.clear_ingest();
    if (blanked.contains("edge")) whole.clear_edge();
    Validate(whole, loaded.locations, errors);
  }
  if (!errors.empty()) return errors.ToStatus();
  return loaded;
}

std::vector<std::string> ValidateEnvironment(const v1::Config& config,
                                             const Environment& environment) {
  std::set<std::string> names;
  CollectWarnings(config.ingest().environment().ignored(), environment, names);
  CollectWarnings(config.edge().environment().ignored(), environment, names);
  std::vector<std::string> warnings;
  warnings.reserve(names.size());
  for (const std::string& name : names) {
    warnings.push_back(
        absl::StrCat("environment variable ", name, " is set, but has no effect in Spillway"));
  }
  return warnings;
}

}  // namespace spillway::config
