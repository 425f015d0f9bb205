#include "tools/load/dialect.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/json_text.h"
#include "common/base/strings.h"

namespace spillway::load {
namespace {

using Kind = Dialect::Kind;

struct Beginning {
  std::string_view text;
  Kind kind;
};

template <size_t kSize>
Kind ByBeginning(std::string_view message, const std::array<Beginning, kSize>& known) {
  for (const Beginning& beginning : known) {
    if (message.starts_with(beginning.text)) return beginning.kind;
  }
  return Kind::kOther;
}

// Spillway's json.v1. Relies on `type` being the first member, as this server writes it.
class JsonDialect final : public Dialect {
 public:
  std::string_view event_prefix() const override { return R"({"type":"event",)"; }

  std::vector<std::string> Hello(const std::vector<std::string>& channels) const override {
    return Subscribe(channels, nullptr);
  }
  bool resumes() const override { return true; }
  std::vector<std::string> Hello(const std::vector<std::string>& channels,
                                 const PositionTable& positions) const override {
    return Subscribe(channels, &positions);
  }

  Kind Classify(std::string_view message) const override {
    static constexpr std::array<Beginning, 8> kKnown = {
        {{R"({"type":"subscribed")", Kind::kSubscribed},
         {R"({"type":"snapshot")", Kind::kPosition},
         {R"({"type":"joined")", Kind::kPosition},
         {R"({"type":"checkpoint")", Kind::kPosition},
         {R"({"type":"connected")", Kind::kConnected},
         {R"({"type":"gap")", Kind::kGap},
         {R"({"type":"ping")", Kind::kPing},
         {R"({"type":"error")", Kind::kError}}};
    return ByBeginning(message, kKnown);
  }

  std::string_view pong() const override { return R"({"type":"pong"})"; }

  std::string Publish(std::string_view channel, std::string_view payload,
                      uint64_t id) const override {
    std::string message = absl::StrCat(R"({"type":"publish","id":)", id, R"(,"channel":)");
    AppendJsonString(&message, channel);
    absl::StrAppend(&message, ",\"data\":", Abs(payload), "}");
    return message;
  }
  bool answers_publications() const override { return true; }
  // Relies on `id` being the second member.
  std::optional<PublishAnswer> ReadPublishAnswer(std::string_view message) const override {
    static constexpr std::array<std::pair<std::string_view, bool>, 2> kAnswers = {
        {{R"({"type":"published","id":)", true}, {R"({"type":"error","id":)", false}}};
    for (const auto& [beginning, published] : kAnswers) {
      if (!message.starts_with(beginning)) continue;
      const char* const end = message.data() + message.size();
      PublishAnswer answer{0, published};
      if (std::from_chars(message.data() + beginning.size(), end, answer.id).ec == std::errc()) {
        return answer;
      }
    }
    return std::nullopt;
  }

 private:
  static std::vector<std::string> Subscribe(const std::vector<std::string>& channels,
                                            const PositionTable* positions) {
    // That a command may name. Positions of many would not fit a command's bytes.
    const size_t most = positions == nullptr ? 100 : 10;
    std::vector<std::string> messages;
    for (size_t i = 0; i < channels.size(); i += most) {
      std::string message = R"({"type":"subscribe","channels":[)";
      std::string shown;
      for (size_t j = i; j < std::min(i + most, channels.size()); ++j) {
        if (j > i) message.push_back(',');
        AppendJsonString(&message, channels[j]);
        if (positions == nullptr || !positions->known(j)) continue;
        shown.push_back(shown.empty() ? '{' : ',');
        AppendJsonString(&shown, channels[j]);
        shown.push_back(':');
        positions->Append(j, &shown);
      }
      message.push_back(']');
      if (!shown.empty()) absl::StrAppend(&message, ",\"positions\":", shown, "}");
      messages.push_back(message + "}");
    }
    return messages;
  }
};

// The preset `assessment`: the endpoint chooses the channels, tells no subscriptions, and events
// have their own type.
class AssessmentDialect final : public Dialect {
 public:
  std::vector<std::string> Hello(const std::vector<std::string>&) const override { return {}; }
  size_t answers(size_t) const override { return 0; }
  bool greets() const override { return true; }
  Kind Classify(std::string_view message) const override { return json_.Classify(message); }
  std::string_view pong() const override { return json_.pong(); }

 private:
  JsonDialect json_;
};

// Nothing but payloads: for servers made to be compared with. "sub CHANNEL" subscribes and is
// answered with "subscribed", "pub CHANNEL\nPAYLOAD" publishes.
class RawDialect final : public Dialect {
 public:
  std::vector<std::string> Hello(const std::vector<std::string>& channels) const override {
    std::vector<std::string> messages;
    messages.reserve(channels.size());
    for (const std::string& channel : channels) messages.push_back("sub " + channel);
    return messages;
  }
  Kind Classify(std::string_view message) const override {
    return message == "subscribed" ? Kind::kSubscribed : Kind::kOther;
  }
  std::string Publish(std::string_view channel, std::string_view payload, uint64_t) const override {
    return absl::StrCat("pub ", Abs(channel), "\n", Abs(payload));
  }
};

// The JSON form of the Centrifuge protocol: commands and replies separated by line ends.
class CentrifugoDialect final : public Dialect {
 public:
  std::string_view event_prefix() const override { return R"({"push":)"; }
  bool lines() const override { return true; }

  std::vector<std::string> Hello(const std::vector<std::string>& channels) const override {
    std::string message = R"({"id":1,"connect":{}})";
    uint32_t id = 1;
    for (const std::string& channel : channels) {
      absl::StrAppend(&message, "\n{\"id\":", ++id, ",\"subscribe\":{\"channel\":");
      AppendJsonString(&message, channel);
      message += "}}";
    }
    return {message};
  }
  bool greets() const override { return true; }

  Kind Classify(std::string_view message) const override {
    if (message == "{}") return Kind::kPing;
    if (!message.starts_with("{\"id\":")) return Kind::kOther;
    const std::string_view head = message.substr(0, 40);
    if (head.find(",\"subscribe\":") != std::string_view::npos) return Kind::kSubscribed;
    if (head.find(",\"connect\":") != std::string_view::npos) return Kind::kConnected;
    if (head.find(",\"error\":") != std::string_view::npos) return Kind::kError;
    return Kind::kOther;
  }
  std::string_view pong() const override { return "{}"; }

  std::string Publish(std::string_view channel, std::string_view payload, uint64_t) const override {
    std::string message = R"({"id":1,"publish":{"channel":)";
    AppendJsonString(&message, channel);
    absl::StrAppend(&message, ",\"data\":", Abs(payload), "}}");
    return message;
  }
};

template <typename Type>
std::unique_ptr<Dialect> Make() {
  return std::make_unique<Type>();
}

struct Known {
  std::string_view name;
  std::string_view what;
  std::unique_ptr<Dialect> (*make)();
};
constexpr std::array<Known, 4> kDialects = {{
    {"json", "Spillway's json.v1", Make<JsonDialect>},
    {"assessment", "the preset of this name: the endpoint chooses the channels",
     Make<AssessmentDialect>},
    {"centrifugo", "Centrifuge protocol, JSON", Make<CentrifugoDialect>},
    {"raw", "payloads alone; \"sub CHANNEL\" subscribes", Make<RawDialect>},
}};

}  // namespace

std::string Dialect::Publish(std::string_view, std::string_view, uint64_t) const { return {}; }

absl::StatusOr<std::unique_ptr<Dialect>> MakeDialect(std::string_view name) {
  for (const Known& known : kDialects) {
    if (known.name == name) return known.make();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("no dialect ", Abs(name), "; there are: ", DialectNames()));
}

std::string DialectNames() {
  std::string text;
  for (const Known& known : kDialects) {
    absl::StrAppend(&text, text.empty() ? "" : "; ", Abs(known.name), " (", Abs(known.what), ")");
  }
  return text;
}

}  // namespace spillway::load
