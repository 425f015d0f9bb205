#include "tools/load/run_options.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <cstring>
#include <map>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/base/strings.h"

namespace spillway::load {
namespace {

constexpr uint32_t kMaxChannels = 1 << 24;  // a stamp's width

bool Read(std::string_view text, std::string* value) {
  *value = text;
  return true;
}
bool Read(std::string_view text, double* value) {
  return absl::SimpleAtod(Abs(text), value) && *value >= 0;
}
template <typename Integer>
bool Read(std::string_view text, Integer* value) {
  return absl::SimpleAtoi(Abs(text), value) && *value >= 0;
}
bool Read(std::string_view text, size_t* value) { return absl::SimpleAtoi(Abs(text), value); }
bool Read(std::string_view text, Via* via) {
  static const std::map<std::string_view, Via> kNames = {{"none", Via::kNone},
                                                         {"kafka", Via::kKafka},
                                                         {"durable", Via::kDurable},
                                                         {"ephemeral", Via::kEphemeral},
                                                         {"socket", Via::kSocket}};
  const auto found = kNames.find(text);
  if (found == kNames.end()) return false;
  *via = found->second;
  return true;
}
bool Read(std::string_view text, Pick* pick) {
  static const std::map<std::string_view, Pick> kNames = {
      {"turn", Pick::kTurn}, {"random", Pick::kRandom}, {"zipf", Pick::kZipf}};
  const auto found = kNames.find(text);
  if (found == kNames.end()) return false;
  *pick = found->second;
  return true;
}
bool ReadFill(std::string_view text, bool* value) {
  *value = text == "text";
  return text == "text" || text == "letter";
}

bool Set(StreamOptions* stream, std::string_view key, std::string_view value, bool* known) {
  using Setter = bool (*)(StreamOptions*, std::string_view);
  static const std::map<std::string_view, Setter> kSetters = {
      {"name", [](StreamOptions* s, std::string_view v) { return Read(v, &s->name); }},
      {"channel", [](StreamOptions* s, std::string_view v) { return Read(v, &s->channel); }},
      {"channels", [](StreamOptions* s, std::string_view v) { return Read(v, &s->channels); }},
      {"per_client", [](StreamOptions* s, std::string_view v) { return Read(v, &s->per_client); }},
      {"via", [](StreamOptions* s, std::string_view v) { return Read(v, &s->via); }},
      {"topic", [](StreamOptions* s, std::string_view v) { return Read(v, &s->topic); }},
      {"partitions", [](StreamOptions* s, std::string_view v) { return Read(v, &s->partitions); }},
      {"header", [](StreamOptions* s, std::string_view v) { return Read(v, &s->header); }},
      {"rate", [](StreamOptions* s, std::string_view v) { return Read(v, &s->rate); }},
      {"count", [](StreamOptions* s, std::string_view v) { return Read(v, &s->count); }},
      {"burst", [](StreamOptions* s, std::string_view v) { return Read(v, &s->burst); }},
      {"burst_at", [](StreamOptions* s, std::string_view v) { return Read(v, &s->burst_at); }},
      {"burst_for", [](StreamOptions* s, std::string_view v) { return Read(v, &s->burst_for); }},
      {"bytes", [](StreamOptions* s, std::string_view v) { return Read(v, &s->bytes); }},
      {"fill", [](StreamOptions* s, std::string_view v) { return ReadFill(v, &s->text); }},
      {"spread", [](StreamOptions* s, std::string_view v) { return Read(v, &s->spread); }},
      {"keys", [](StreamOptions* s, std::string_view v) { return Read(v, &s->keys); }},
      {"pick", [](StreamOptions* s, std::string_view v) { return Read(v, &s->pick); }}};
  const auto found = kSetters.find(key);
  *known = found != kSetters.end();
  return *known && found->second(stream, value);
}

absl::Status Check(const StreamOptions& stream) {
  const auto bad = [&](const auto&... parts) {
    return absl::InvalidArgumentError(absl::StrCat("stream ", stream.name, ": ", parts...));
  };
  if (stream.channels == 0 || stream.channels > kMaxChannels) {
    return bad("channels is 1 to ", kMaxChannels);
  }
  if (stream.per_client > stream.channels) return bad("per_client is at most channels");
  if (stream.channels > 1 && stream.channel.find("{n}") == std::string::npos) {
    return bad("channel needs {n} where there are several");
  }
  if (stream.partitions < 1) return bad("partitions is at least 1");
  if (stream.spread == 0 || stream.spread > static_cast<uint32_t>(stream.partitions)) {
    return bad("spread is 1 to partitions");
  }
  if (stream.spread > 1 && (stream.keys == 0 || stream.keys % stream.spread != 0)) {
    return bad("spread needs keys, a multiple of it: a key is in one partition");
  }
  if (!(stream.burst > 0)) return bad("burst is above 0");
  if (stream.rate == 0 && stream.via != Via::kNone && stream.count == 0) {
    return bad("rate or count has to be above 0");
  }
  if ((stream.via == Via::kKafka || stream.via == Via::kDurable) && stream.topic.empty()) {
    return bad("topic is missing");
  }
  return absl::OkStatus();
}

}  // namespace

bool Target::is_loopback() const {
  if (address.ss_family != AF_INET) return false;
  sockaddr_in ipv4;
  std::memcpy(&ipv4, &address, sizeof(ipv4));
  return ntohl(ipv4.sin_addr.s_addr) >> 24 == 127;
}

absl::StatusOr<Target> ParseTarget(std::string_view url) {
  const auto bad = [&](std::string_view problem) {
    return absl::InvalidArgumentError(
        absl::StrCat("url ", Abs(url), ": ", Abs(problem), " (ws://HOST:PORT/PATH)"));
  };
  Target target;
  std::string_view rest = url;
  if (rest.starts_with("wss://")) {
    target.tls = true;
    rest.remove_prefix(6);
  } else if (rest.starts_with("ws://")) {
    rest.remove_prefix(5);
  } else {
    return bad("no ws:// or wss://");
  }
  const size_t slash = rest.find('/');
  target.host = rest.substr(0, slash);
  target.path = slash == std::string_view::npos ? "/" : rest.substr(slash);
  const size_t colon = target.host.rfind(':');
  const bool has_port =
      colon != std::string::npos && target.host.find(']', colon) == std::string::npos;
  target.name = has_port ? target.host.substr(0, colon) : target.host;
  if (target.name.size() > 2 && target.name.front() == '[' && target.name.back() == ']') {
    target.name = target.name.substr(1, target.name.size() - 2);
  }
  if (target.name.empty()) return bad("no host");
  const std::string port =
      has_port ? target.host.substr(colon + 1) : std::string(target.tls ? "443" : "80");
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(target.name.c_str(), port.c_str(), &hints, &found);
  if (error != 0) return bad(gai_strerror(error));
  std::memcpy(&target.address, found->ai_addr, found->ai_addrlen);
  target.address_size = found->ai_addrlen;
  freeaddrinfo(found);
  return target;
}

absl::StatusOr<std::vector<StreamOptions>> ParseStreams(std::string_view text) {
  std::vector<StreamOptions> streams;
  for (const absl::string_view part : absl::StrSplit(Abs(text), ';', absl::SkipEmpty())) {
    StreamOptions stream;
    if (!streams.empty()) stream.name = absl::StrCat("load", streams.size());
    for (const absl::string_view item : absl::StrSplit(part, ',', absl::SkipEmpty())) {
      const std::pair<std::string, std::string> pair =
          absl::StrSplit(item, absl::MaxSplits('=', 1));
      bool known = false;
      if (!Set(&stream, pair.first, pair.second, &known)) {
        return absl::InvalidArgumentError(
            absl::StrCat("stream: ", item, known ? ": not a value" : ": no such key"));
      }
    }
    if (const absl::Status status = Check(stream); !status.ok()) return status;
    streams.push_back(stream);
  }
  if (streams.size() > 16) return absl::InvalidArgumentError("at most 16 streams");
  return streams;
}

std::string Replaced(std::string_view text, std::string_view name, std::string_view value) {
  return absl::StrReplaceAll(Abs(text), {{absl::StrCat("{", Abs(name), "}"), Abs(value)}});
}

}  // namespace spillway::load
