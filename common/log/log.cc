#include "common/log/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <array>
#include <atomic>
#include <charconv>
#include <memory>
#include <mutex>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "common/base/clock.h"
#include "common/base/iso_time.h"
#include "common/base/json_text.h"
#include "common/base/mutex.h"
#include "common/base/strings.h"

namespace spillway::log {
namespace {

// Hands finished lines to a function, in place of stderr.
class FunctionSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit FunctionSink(std::function<void(std::string_view)> write) : write_(std::move(write)) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    write_(std::string_view(message.payload.data(), message.payload.size()));
  }
  void flush_() override {}

  const std::function<void(std::string_view)> write_;
};

struct State {
  const Clock* clock;
  std::string constant;  // ready JSON: service, node and static fields, with the comma before each
  std::shared_ptr<spdlog::logger> logger;
};

void AppendMember(std::string* out, std::string_view key, std::string_view value) {
  out->push_back(',');
  AppendJsonString(out, key);
  out->push_back(':');
  AppendJsonString(out, value);
}

std::shared_ptr<const State> MakeState(const Options& options) {
  auto state = std::make_shared<State>();
  state->clock = options.clock != nullptr ? options.clock : &Clock::Real();
  AppendMember(&state->constant, "service", options.service);
  if (!options.node.empty()) AppendMember(&state->constant, "node", options.node);
  for (const auto& [key, value] : options.static_fields) AppendMember(&state->constant, key, value);

  spdlog::sink_ptr sink;
  if (options.sink) {
    sink = std::make_shared<FunctionSink>(options.sink);
  } else {
    sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  }
  sink->set_pattern("%v");
  state->logger = std::make_shared<spdlog::logger>("spillway", std::move(sink));
  state->logger->set_level(spdlog::level::trace);  // the level is checked before a line is built
  return state;
}

std::atomic<Level>& CurrentLevel() {
  static std::atomic<Level> level{Level::kInfo};
  return level;
}

// The settings in force. A lock and not an atomic<shared_ptr>: a line takes the sink's lock anyway,
// and libstdc++ 12's atomic<shared_ptr> is opaque to ThreadSanitizer.
class Current {
 public:
  std::shared_ptr<const State> Get() {
    MutexLock lock(mutex_);
    return state_;
  }
  void Set(std::shared_ptr<const State> state) {
    MutexLock lock(mutex_);
    state_ = std::move(state);
  }

 private:
  Mutex mutex_;
  std::shared_ptr<const State> state_ SPILLWAY_GUARDED_BY(mutex_) = MakeState(Options());
};

// Never destroyed: destructors of other statics may still log.
Current& CurrentState() {
  static auto* current = new Current;
  return *current;
}

template <typename T>
void AppendInteger(std::string* out, T value) {
  std::array<char, 24> buffer;
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  out->append(buffer.data(), result.ptr);
}

void AppendField(std::string* out, const Field& field) {
  out->push_back(',');
  AppendJsonString(out, field.key());
  out->push_back(':');
  switch (field.type()) {
    case Field::Type::kString:
      AppendJsonString(out, field.string_value());
      break;
    case Field::Type::kInt:
      AppendInteger(out, field.int_value());
      break;
    case Field::Type::kUint:
      AppendInteger(out, field.uint_value());
      break;
    case Field::Type::kDouble:
      AppendJsonNumber(out, field.double_value());
      break;
    case Field::Type::kBool:
      out->append(field.bool_value() ? "true" : "false");
      break;
  }
}

spdlog::level::level_enum SpdlogLevel(Level level) {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarn:
      return spdlog::level::warn;
    default:
      return spdlog::level::err;
  }
}

}  // namespace

std::optional<Level> ParseLevel(std::string_view name) {
  const std::string lower = absl::AsciiStrToLower(Abs(name));
  if (lower == "debug") return Level::kDebug;
  if (lower == "info") return Level::kInfo;
  if (lower == "warn" || lower == "warning") return Level::kWarn;
  if (lower == "error") return Level::kError;
  if (lower == "off") return Level::kOff;
  return std::nullopt;
}

std::string_view LevelName(Level level) {
  switch (level) {
    case Level::kDebug:
      return "debug";
    case Level::kInfo:
      return "info";
    case Level::kWarn:
      return "warn";
    case Level::kError:
      return "error";
    case Level::kOff:
      return "off";
  }
  return "unknown";
}

void Init(const Options& options) {
  CurrentState().Set(MakeState(options));
  SetLevel(options.level);
}

void SetLevel(Level level) { CurrentLevel().store(level, std::memory_order_relaxed); }
Level GetLevel() { return CurrentLevel().load(std::memory_order_relaxed); }

void Write(Level level, std::string_view message, Fields fields, const Field* extra) {
  if (!Enabled(level)) return;
  const std::shared_ptr<const State> state = CurrentState().Get();
  std::string line;
  line.reserve(256);
  line.append("{\"ts\":\"").append(IsoTime(state->clock->WallNow()));
  line.append("\",\"level\":\"").append(LevelName(level)).append("\"");
  line.append(state->constant);
  AppendMember(&line, "msg", message);
  for (const Field& field : fields) AppendField(&line, field);
  if (extra != nullptr) AppendField(&line, *extra);
  line.push_back('}');
  // The string_view overload: the line is not a format.
  state->logger->log(SpdlogLevel(level), spdlog::string_view_t(line.data(), line.size()));
}

void Flush() { CurrentState().Get()->logger->flush(); }

std::string Redact(std::string_view secret) {
  static constexpr size_t kShown = 4;
  static constexpr size_t kLeastLength = 16;
  std::string out = "***";
  if (secret.size() >= kLeastLength) out.append(secret.substr(secret.size() - kShown));
  return out;
}

bool IsSecretName(std::string_view name) {
  const std::string lower = absl::AsciiStrToLower(Abs(name));
  for (const char* word : {"password", "passwd", "secret", "token", "authorization", "credential",
                           "private_key", "api_key", "apikey", "jaas"}) {
    if (absl::StrContains(lower, word)) return true;
  }
  return false;
}

}  // namespace spillway::log
