#include "tools/load/json_report.h"

#include "absl/strings/str_cat.h"
#include "common/base/json_text.h"

namespace spillway::load {

void JsonReport::AddName(std::string_view name) {
  if (text_.size() > 1) text_.push_back(',');
  AppendJsonString(&text_, name);
  text_.push_back(':');
}

void JsonReport::Add(std::string_view name, double value) {
  AddName(name);
  AppendJsonNumber(&text_, value);
}

void JsonReport::Add(std::string_view name, uint64_t value) {
  AddName(name);
  absl::StrAppend(&text_, value);
}

void JsonReport::Add(std::string_view name, int64_t value) {
  AddName(name);
  absl::StrAppend(&text_, value);
}

void JsonReport::AddText(std::string_view name, std::string_view value) {
  AddName(name);
  AppendJsonString(&text_, value);
}

void JsonReport::Add(std::string_view name, const JsonReport& value) {
  AddName(name);
  text_.append(value.text());
}

}  // namespace spillway::load
