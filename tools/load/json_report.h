#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace spillway::load {

// A JSON object that is written member by member.
class JsonReport {
 public:
  void Add(std::string_view name, double value);
  void Add(std::string_view name, uint64_t value);
  void Add(std::string_view name, int64_t value);
  void AddText(std::string_view name, std::string_view value);
  void Add(std::string_view name, const JsonReport& value);
  std::string text() const { return text_ + "}"; }

 private:
  void AddName(std::string_view name);
  std::string text_ = "{";
};

}  // namespace spillway::load
