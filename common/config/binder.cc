#include "common/config/binder.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <limits>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/strings.h"
#include "common/config/interpolate.h"
#include "common/config/scalars.h"
#include "spillway/v1/config_options.pb.h"

namespace spillway::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using v1::ConfigFieldOptions;

std::string Range(const ConfigFieldOptions& opts, std::string (*format)(int64_t)) {
  if (opts.has_min() && opts.has_max()) {
    return absl::StrCat(" from ", format(opts.min()), " to ", format(opts.max()));
  }
  if (opts.has_min()) return absl::StrCat(" of at least ", format(opts.min()));
  if (opts.has_max()) return absl::StrCat(" of at most ", format(opts.max()));
  return "";
}

std::string FormatPlain(int64_t value) { return absl::StrCat(value); }

bool InRange(const ConfigFieldOptions& opts, int64_t value) {
  return (!opts.has_min() || value >= opts.min()) && (!opts.has_max() || value <= opts.max());
}

// Sets or adds one scalar of a field. Returns what was expected when `text` is not that.
std::optional<std::string> StoreScalar(Message& message, const FieldDescriptor& field,
                                       const ConfigFieldOptions& opts, const std::string& text) {
  const Reflection& reflection = *message.GetReflection();
  const bool list = field.is_repeated();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING: {
      const auto size = static_cast<int64_t>(text.size());
      if (!list && !InRange(opts, size)) {
        return opts.has_min() && opts.min() == 1 && text.empty()
                   ? "a text that is not empty"
                   : absl::StrCat("a text with a length", Range(opts, FormatPlain));
      }
      list ? reflection.AddString(&message, &field, text)
           : reflection.SetString(&message, &field, text);
      return std::nullopt;
    }
    case FieldDescriptor::CPPTYPE_BOOL: {
      const std::optional<bool> value = ParseBool(text);
      if (!value) return "true or false";
      list ? reflection.AddBool(&message, &field, *value)
           : reflection.SetBool(&message, &field, *value);
      return std::nullopt;
    }
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64: {
      const bool narrow = field.cpp_type() == FieldDescriptor::CPPTYPE_INT32;
      std::optional<int64_t> value;
      std::string expected;
      if (opts.unit() == v1::CONFIG_UNIT_DURATION_MS) {
        value = ParseDurationMs(text);
        expected =
            absl::StrCat("a duration", Range(opts, FormatDurationMs), ", such as 30s or 250ms");
      } else if (opts.unit() == v1::CONFIG_UNIT_BYTES) {
        value = ParseBytes(text);
        expected = absl::StrCat("a size", Range(opts, FormatBytes), ", such as 64KiB");
      } else {
        value = ParseInteger(text);
        expected = absl::StrCat("a whole number", Range(opts, FormatPlain));
      }
      if (!value || !InRange(opts, *value)) return expected;
      if (narrow) {
        if (*value > std::numeric_limits<int32_t>::max() ||
            *value < std::numeric_limits<int32_t>::min()) {
          return expected;
        }
        const auto number = static_cast<int32_t>(*value);
        list ? reflection.AddInt32(&message, &field, number)
             : reflection.SetInt32(&message, &field, number);
      } else {
        list ? reflection.AddInt64(&message, &field, *value)
             : reflection.SetInt64(&message, &field, *value);
      }
      return std::nullopt;
    }
    case FieldDescriptor::CPPTYPE_ENUM: {
      const auto* value = FindEnumValue(*field.enum_type(), text);
      if (value == nullptr) {
        return absl::StrCat("one of ", absl::StrJoin(EnumValueNames(*field.enum_type()), ", "));
      }
      list ? reflection.AddEnum(&message, &field, value)
           : reflection.SetEnum(&message, &field, value);
      return std::nullopt;
    }
    default:
      return "a type that the loader knows (the schema uses one it does not)";
  }
}

class Binder {
 public:
  Binder(const Environment& environment, Errors& errors, Locations& locations)
      : environment_(environment), errors_(errors), locations_(locations) {}

  // `tree` may be null: only defaults then. `place` is where to report missing keys.
  void BindMessage(const Tree* tree, const Location& place, const std::string& path,
                   Message& message) {
    const Descriptor& type = *message.GetDescriptor();
    if (tree != nullptr && tree->kind != Tree::Kind::kMap) {
      if (tree->kind != Tree::Kind::kNull) {
        errors_.Add(tree->location, path,
                    absl::StrCat("expected a mapping with the keys ",
                                 absl::StrJoin(Keys(type), ", "), ", found ", tree->Describe()));
        return;
      }
      tree = nullptr;
    }
    if (tree != nullptr) CheckKeys(*tree, path, type);
    for (int i = 0; i < type.field_count(); ++i) {
      const FieldDescriptor& field = *type.field(i);
      const Tree::Entry* entry = tree == nullptr ? nullptr : tree->Find(field.name());
      BindField(entry, place, Join(path, field.name()), field, message);
    }
  }

 private:
  static std::string Join(const std::string& path, const std::string& key) {
    return path.empty() ? key : absl::StrCat(path, ".", key);
  }

  static std::vector<std::string> Keys(const Descriptor& type) {
    std::vector<std::string> keys;
    keys.reserve(static_cast<size_t>(type.field_count()));
    for (int i = 0; i < type.field_count(); ++i) keys.push_back(type.field(i)->name());
    return keys;
  }

  void CheckKeys(const Tree& tree, const std::string& path, const Descriptor& type) {
    for (const Tree::Entry& entry : tree.entries) {
      if (type.FindFieldByName(entry.key) != nullptr) continue;
      const std::vector<std::string> keys = Keys(type);
      const std::string nearest = NearestName(entry.key, keys);
      errors_.Add(entry.key_location, Join(path, entry.key),
                  nearest.empty()
                      ? absl::StrCat("unknown key; expected one of ", absl::StrJoin(keys, ", "))
                      : absl::StrCat("unknown key; did you mean \"", nearest, "\"?"));
    }
  }

  void BindField(const Tree::Entry* entry, const Location& place, const std::string& path,
                 const FieldDescriptor& field, Message& message) {
    const ConfigFieldOptions& opts = field.options().GetExtension(v1::opt);
    if (entry != nullptr) locations_.Set(path, entry->key_location);
    const Tree* value = entry == nullptr ? nullptr : &entry->value;
    if (field.is_map()) return BindMap(value, path, field, message);
    if (field.is_repeated()) return BindList(value, place, path, field, opts, message);
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      if (value == nullptr && opts.optional_section()) return;
      BindMessage(value, entry == nullptr ? place : entry->key_location, path,
                  *message.GetReflection()->MutableMessage(&message, &field));
      return;
    }
    if (value != nullptr && value->kind != Tree::Kind::kNull) {
      const std::optional<Interpolated> text = ScalarText(*value, path, field);
      if (!text) return;
      if (!(text->changed && text->text.empty())) {
        return Store(value->location, path, field, opts, text->text, message);
      }
    }
    if (opts.required()) {
      errors_.Add(entry == nullptr ? place : entry->key_location, path,
                  absl::StrCat("required, but ", entry == nullptr ? "missing" : "empty"));
    } else if (!opts.default_value().empty()) {
      Store(place, path, field, opts, opts.default_value(), message);
    }
  }

  void BindList(const Tree* value, const Location& place, const std::string& path,
                const FieldDescriptor& field, const ConfigFieldOptions& opts, Message& message) {
    int64_t count = 0;
    if (value != nullptr && value->kind != Tree::Kind::kNull) {
      if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        if (value->kind != Tree::Kind::kList) {
          errors_.Add(value->location, path,
                      absl::StrCat("expected a list, found ", value->Describe()));
          return;
        }
        for (const Tree& item : value->items) {
          const std::string item_path = absl::StrCat(path, "[", count++, "]");
          locations_.Set(item_path, item.location);
          BindMessage(&item, item.location, item_path,
                      *message.GetReflection()->AddMessage(&message, &field));
        }
      } else if (value->kind == Tree::Kind::kList) {
        for (const Tree& item : value->items) {
          const std::string item_path = absl::StrCat(path, "[", count++, "]");
          locations_.Set(item_path, item.location);
          if (const auto text = ScalarText(item, item_path, field)) {
            Store(item.location, item_path, field, opts, text->text, message);
          }
        }
      } else {
        const auto text = ScalarText(*value, path, field);
        if (!text) return;
        std::vector<std::string> parts{text->text};
        if (text->changed) {
          parts = absl::StrSplit(text->text, ',', absl::SkipWhitespace());
          for (std::string& part : parts) part = std::string(absl::StripAsciiWhitespace(part));
        }
        for (const std::string& part : parts) {
          Store(value->location, path, field, opts, part, message);
          ++count;
        }
      }
    }
    if (count == 0 && opts.required()) {
      errors_.Add(value == nullptr ? place : value->location, path,
                  absl::StrCat("required, but ", value == nullptr ? "missing" : "empty"));
    } else if (!InRange(opts, count) && count > 0) {
      errors_.Add(value->location, path,
                  absl::StrCat("expected a number of elements", Range(opts, FormatPlain),
                               ", found ", count));
    }
  }

  // Maps are from string to string: the only kind that the schema has.
  void BindMap(const Tree* value, const std::string& path, const FieldDescriptor& field,
               Message& message) {
    if (value == nullptr || value->kind == Tree::Kind::kNull) return;
    if (value->kind != Tree::Kind::kMap) {
      errors_.Add(value->location, path,
                  absl::StrCat("expected a mapping, found ", value->Describe()));
      return;
    }
    const Reflection& reflection = *message.GetReflection();
    for (const Tree::Entry& entry : value->entries) {
      const std::string key_path = Join(path, entry.key);
      locations_.Set(key_path, entry.key_location);
      const auto text = ScalarText(entry.value, key_path, field);
      if (!text) continue;
      Message& pair = *reflection.AddMessage(&message, &field);
      const Reflection& pair_reflection = *pair.GetReflection();
      pair_reflection.SetString(&pair, pair.GetDescriptor()->FindFieldByNumber(1), entry.key);
      pair_reflection.SetString(&pair, pair.GetDescriptor()->FindFieldByNumber(2), text->text);
    }
  }

  std::optional<Interpolated> ScalarText(const Tree& value, const std::string& path,
                                         const FieldDescriptor& field) {
    if (value.kind == Tree::Kind::kMap || value.kind == Tree::Kind::kList) {
      const bool list = field.is_repeated() && !field.is_map() && value.kind == Tree::Kind::kMap;
      errors_.Add(value.location, path,
                  absl::StrCat("expected a ", list ? "list" : "single value", ", found ",
                               value.Describe()));
      return std::nullopt;
    }
    absl::StatusOr<Interpolated> text = Interpolate(value.scalar, environment_);
    if (!text.ok()) {
      errors_.Add(value.location, path, Std(text.status().message()));
      return std::nullopt;
    }
    return *std::move(text);
  }

  void Store(const Location& location, const std::string& path, const FieldDescriptor& field,
             const ConfigFieldOptions& opts, const std::string& text, Message& message) {
    if (const auto expected = StoreScalar(message, field, opts, text)) {
      errors_.Add(location, path,
                  absl::StrCat("expected ", *expected, ", found ",
                               opts.secret() ? "another value" : absl::StrCat("\"", text, "\"")));
    }
  }

  const Environment& environment_;
  Errors& errors_;
  Locations& locations_;
};

}  // namespace

void Bind(const Tree& tree, const Environment& environment, Message& message, Errors& errors,
          Locations& locations) {
  Binder(environment, errors, locations).BindMessage(&tree, tree.location, "", message);
}

}  // namespace spillway::config
