#include "common/config/doc.h"

#include <google/protobuf/descriptor.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/config/scalars.h"
#include "spillway/v1/config_options.pb.h"
#include "spillway/v1/config_root.pb.h"

namespace spillway::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using v1::ConfigFieldOptions;

constexpr char kIntroduction[] = R"(# Configuration

This page is generated from the schema (`proto/spillway/v1/config_*.proto`).

Both tiers read YAML. One file may hold the sections of both; each tier checks all of it and uses its own.
What the other tier's section needs from the environment or from files may be missing where a tier runs.
`--config FILE` may be given several times, `--preset NAME` names a file of the presets folder, `--set key.path=value`
sets one key. Presets come first, then files, then `--set`: later ones win, mappings merge key by key, lists replace.
Unknown and mistyped keys, and values out of range, stop the start with one line each: file, line, key, what was
expected. `--check-config` only checks, `--print-config` prints what is in force (secrets masked).

In every value:

| Written | Stands for |
|---|---|
| `${NAME}` | the environment variable; not set is an error |
| `${NAME:-default}` | the variable, or the default when it is not set or empty |
| `${NAME:?message}` | the variable; not set or empty is an error with the message |
| `${file:/path}` | the file's content without its last newline: the way for secrets |
| `$$` | one `$` |

A value that is empty after this counts as not given. Where a list is expected, a single value is a list of one, and
one that came from outside is split at commas. A *duration* is a number with `ms`, `s`, `m`, `h` or `d` (alone:
milliseconds); a *size* a number with `B`, `KiB`, `MiB`, `GiB`, `KB`, `MB` or `GB` (alone: bytes).

In routes, a *source* names one value of a record: `key`, `header.NAME`, `topic`, `topic.N` (its N-th part between
dots, from 1), `topic.match.N` (N-th group of `topics_regex`), or a JSON pointer (RFC 6901) such as `/data/price` (also
`json./data/price`); `a|b` takes the first that exists. A *template* is text with sources in braces, such as
`price:{/symbol}`; `{{` and `}}` are braces. An empty text, null and, where text is wanted, a list or an object count as
absent.
)";

std::string Number(const ConfigFieldOptions& opts, int64_t value) {
  if (opts.unit() == v1::CONFIG_UNIT_DURATION_MS) return FormatDurationMs(value);
  if (opts.unit() == v1::CONFIG_UNIT_BYTES) return FormatBytes(value);
  return absl::StrCat(value);
}

std::string TypeName(const FieldDescriptor& field, const ConfigFieldOptions& opts) {
  if (field.is_map()) return "mapping of text to text";
  std::string name;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      name = "text";
      break;
    case FieldDescriptor::CPPTYPE_BOOL:
      name = "true or false";
      break;
    case FieldDescriptor::CPPTYPE_ENUM:
      name = absl::StrCat("`", absl::StrJoin(EnumValueNames(*field.enum_type()), "`, `"), "`");
      break;
    case FieldDescriptor::CPPTYPE_MESSAGE:
      name = "section";
      break;
    default:
      name = opts.unit() == v1::CONFIG_UNIT_DURATION_MS ? "duration"
             : opts.unit() == v1::CONFIG_UNIT_BYTES     ? "size"
                                                        : "number";
      if (opts.has_min() && opts.has_max()) {
        absl::StrAppend(&name, ", ", Number(opts, opts.min()), " to ", Number(opts, opts.max()));
      } else if (opts.has_min()) {
        absl::StrAppend(&name, ", at least ", Number(opts, opts.min()));
      } else if (opts.has_max()) {
        absl::StrAppend(&name, ", at most ", Number(opts, opts.max()));
      }
  }
  return field.is_repeated() ? absl::StrCat("list of ", name) : name;
}

std::string DefaultText(const ConfigFieldOptions& opts) {
  if (opts.required()) return "**required**";
  if (!opts.default_value().empty()) return absl::StrCat("`", opts.default_value(), "`");
  if (opts.optional_section()) return "absent";
  return "";
}

std::string Cell(const std::string& text) { return absl::StrReplaceAll(text, {{"|", "\\|"}}); }

void Describe(const Descriptor& type, const std::string& path, std::string& out) {
  if (!path.empty()) {
    absl::StrAppend(&out, "\n## `", path,
                    "`\n\n| Key | Type | Default | Meaning |\n|---|---|---|---|\n");
  }
  for (int i = 0; i < type.field_count() && !path.empty(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    const ConfigFieldOptions& opts = field.options().GetExtension(v1::opt);
    absl::StrAppend(&out, "| `", field.name(), "` | ", TypeName(field, opts), " | ",
                    Cell(DefaultText(opts)), " | ", Cell(opts.doc()),
                    opts.secret() ? " Secret: never printed." : "", " |\n");
  }
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || field.is_map()) continue;
    Describe(
        *field.message_type(),
        absl::StrCat(path, path.empty() ? "" : ".", field.name(), field.is_repeated() ? "[]" : ""),
        out);
  }
}

}  // namespace

std::string ConfigDoc() {
  std::string out = kIntroduction;
  Describe(*v1::Config::descriptor(), "", out);
  return out;
}

}  // namespace spillway::config
