#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace spillway {
class Clock;
}

// Structured logging: one JSON object a line on stderr, with "ts" (ISO 8601, UTC, milliseconds),
// "level", "service", "node", the static fields, "msg" and the fields of the call. Every function
// may be called from any thread. Nothing here belongs on the path of a delivery: a line allocates
// and takes the sink's lock.
//
//   log::Info("topic attached", {{"topic", topic}, {"partition", 3}});
namespace spillway::log {

enum class Level : uint8_t { kDebug, kInfo, kWarn, kError, kOff };

// "debug", "info", "warn" ("warning"), "error", "off", in any case; nothing for another word.
std::optional<Level> ParseLevel(std::string_view name);
std::string_view LevelName(Level level);

// A key with a value of one of JSON's scalar types. Refers to the caller's strings: it lives as
// long as the call that it is an argument of.
class Field {
 public:
  enum class Type : uint8_t { kString, kInt, kUint, kDouble, kBool };

  constexpr Field(std::string_view key, std::string_view value)
      : key_(key), type_(Type::kString), string_(value) {}
  constexpr Field(std::string_view key, const char* value)
      : Field(key, value == nullptr ? std::string_view() : std::string_view(value)) {}
  Field(std::string_view key, const std::string& value) : Field(key, std::string_view(value)) {}
  template <std::same_as<bool> T>
  constexpr Field(std::string_view key, T value) : key_(key), type_(Type::kBool), bool_(value) {}
  template <std::signed_integral T>
  constexpr Field(std::string_view key, T value) : key_(key), type_(Type::kInt), int_(value) {}
  template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>) constexpr Field(std::string_view key, T value)
      : key_(key), type_(Type::kUint), uint_(value) {}
  template <std::floating_point T>
  constexpr Field(std::string_view key, T value)
      : key_(key), type_(Type::kDouble), double_(static_cast<double>(value)) {}

  constexpr std::string_view key() const { return key_; }
  constexpr Type type() const { return type_; }
  constexpr std::string_view string_value() const { return string_; }
  constexpr int64_t int_value() const { return int_; }
  constexpr uint64_t uint_value() const { return uint_; }
  constexpr double double_value() const { return double_; }
  constexpr bool bool_value() const { return bool_; }

 private:
  std::string_view key_;
  Type type_;
  std::string_view string_;
  union {
    int64_t int_ = 0;
    uint64_t uint_;
    double double_;
    bool bool_;
  };
};

struct Options {
  Level level = Level::kInfo;
  std::string service = "spillway";
  std::string node;  // left out of the lines while empty
  // On every line, such as the environment.
  std::vector<std::pair<std::string, std::string>> static_fields;
  // Where the time comes from; the real clock if null. Must outlive the last line.
  const Clock* clock = nullptr;
  // Takes each finished line (without its newline) in stderr's place; called under a lock. For
  // tests.
  std::function<void(std::string_view)> sink;
};

// Replaces the settings of the whole process; before the first call the defaults hold.
void Init(const Options& options);

// Changes the level while running.
void SetLevel(Level level);
Level GetLevel();
inline bool Enabled(Level level) { return level >= GetLevel() && level != Level::kOff; }

using Fields = std::initializer_list<Field>;

// `extra`, if not null, is one more field at the end.
void Write(Level level, std::string_view message, Fields fields = {}, const Field* extra = nullptr);
inline void Debug(std::string_view message, Fields fields = {}) {
  if (Enabled(Level::kDebug)) Write(Level::kDebug, message, fields);
}
inline void Info(std::string_view message, Fields fields = {}) {
  if (Enabled(Level::kInfo)) Write(Level::kInfo, message, fields);
}
inline void Warn(std::string_view message, Fields fields = {}) {
  if (Enabled(Level::kWarn)) Write(Level::kWarn, message, fields);
}
inline void Error(std::string_view message, Fields fields = {}) {
  if (Enabled(Level::kError)) Write(Level::kError, message, fields);
}

// Waits until every line written so far has left the process.
void Flush();

// What may be shown of a secret: "***", and its last four characters when it has at least 16. Never
// the rest.
std::string Redact(std::string_view secret);

// True for names whose values must go through Redact: those with password, secret, token, ... in
// them.
bool IsSecretName(std::string_view name);

}  // namespace spillway::log
