#include "tools/load/publisher.h"

#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "tools/load/grpc_sink.h"
#include "tools/load/kafka_sink.h"
#include "tools/load/load_clock.h"
#include "tools/load/payload.h"
#include "tools/load/schedule.h"
#include "tools/load/socket_sink.h"

namespace spillway::load {
namespace {

constexpr int64_t kLongestSleepNs = 100'000'000;  // after which it looks whether to stop
constexpr std::chrono::seconds kPatience{30};

}  // namespace

struct Publisher::Source {
  Source(const StreamOptions& stream, size_t stream_index, double seconds, Sink* to)
      : options(stream),
        index(stream_index),
        sink(to),
        schedule(stream, seconds),
        picker(stream),
        payload(stream),
        numbers(stream.channels),
        next_due(schedule.Due(0)) {
    const size_t at = stream.channel.find("{n}");
    before = stream.channel.substr(0, at);
    if (at != std::string::npos) after = stream.channel.substr(at + 3);
  }

  const StreamOptions& options;
  size_t index;
  Sink* sink;
  Schedule schedule;
  ChannelPicker picker;
  PayloadWriter payload;
  std::vector<uint32_t> numbers;  // the last of each channel
  uint64_t count = 0;
  std::optional<int64_t> next_due;  // after the beginning
  std::string before, after;        // the channel's number in its name
  std::string name;
  std::string key;
};

Publisher::Publisher(const Options& options, const ClientOptions& clients, RunState& run)
    : options_(options), clients_(clients), run_(run) {}

absl::StatusOr<std::unique_ptr<Publisher>> Publisher::Create(const Options& options,
                                                             const ClientOptions& clients,
                                                             const Dialect& dialect,
                                                             RunState& run) {
  std::unique_ptr<Publisher> publisher(new Publisher(options, clients, run));
  for (const StreamOptions& stream : clients.streams) {
    publisher->streams_.push_back(std::make_unique<Stream>());
    std::unique_ptr<Sink>& sink =
        publisher->sinks_[stream.via == Via::kDurable ? Via::kEphemeral : stream.via];
    if (sink != nullptr || stream.via == Via::kNone) continue;
    absl::Status status;
    const auto take = [&](auto made) {
      status = made.status();
      if (made.ok()) sink = *std::move(made);
    };
    if (stream.via == Via::kKafka) {
      take(KafkaSink::Create(options.kafka, clients.streams));
    } else if (stream.via == Via::kSocket) {
      take(SocketSink::Create(clients, dialect));
    } else {
      take(GrpcSink::Create(options.ingest, options.ingest_token, clients.streams));
    }
    if (!status.ok()) return status;
  }
  return publisher;
}

Publisher::~Publisher() {
  stop_.store(true, std::memory_order_relaxed);
  if (thread_.joinable()) thread_.join();
}

void Publisher::Start(int64_t begin_ns) {
  thread_ = std::thread([this, begin_ns] { Run(begin_ns); });
}

void Publisher::CountFrom(int64_t ns) {
  count_from_ns_.store(ns, std::memory_order_relaxed);
  for (auto& [via, sink] : sinks_) {
    if (sink != nullptr) sink->CountConfirmationsFrom(ns);
  }
}

const Sink* Publisher::sink(Via via) const {
  const auto found = sinks_.find(via == Via::kDurable ? Via::kEphemeral : via);
  return found == sinks_.end() ? nullptr : found->second.get();
}

uint64_t Publisher::published() const {
  uint64_t sum = 0;
  for (const auto& stream : streams_) sum += stream->published.load(std::memory_order_relaxed);
  return sum;
}

uint64_t Publisher::confirmed() const {
  uint64_t sum = 0;
  for (const auto& [via, sink] : sinks_) {
    if (sink != nullptr) sum += sink->counters().confirmed.load(std::memory_order_relaxed);
  }
  return sum;
}

uint64_t Publisher::failed() const {
  uint64_t sum = 0;
  for (const auto& [via, sink] : sinks_) {
    if (sink != nullptr) sum += sink->counters().failed.load(std::memory_order_relaxed);
  }
  return sum;
}

Publisher::Source* Publisher::Next(std::vector<Source>& sources) {
  Source* next = nullptr;
  for (Source& source : sources) {
    if (source.next_due && (next == nullptr || *source.next_due < *next->next_due)) next = &source;
  }
  return next;
}

void Publisher::Run(int64_t begin_ns) {
  // The kernel may else wake a sleeper 50 us late.
  prctl(PR_SET_TIMERSLACK, 1);
  std::vector<Source> sources;
  sources.reserve(clients_.streams.size());
  for (size_t i = 0; i < clients_.streams.size(); ++i) {
    const StreamOptions& stream = clients_.streams[i];
    if (stream.via == Via::kNone) continue;
    const auto& sink = sinks_[stream.via == Via::kDurable ? Via::kEphemeral : stream.via];
    sources.emplace_back(stream, i, options_.seconds, sink.get());
  }
  const auto over = [this] {
    return stop_.load(std::memory_order_relaxed) || enough_.load(std::memory_order_relaxed);
  };
  while (!over()) {
    Source* const source = Next(sources);
    if (source == nullptr) break;
    int64_t now = NowNs();
    const int64_t due =
        source->options.rate > 0 ? begin_ns + *source->next_due : std::max(now, begin_ns);
    if (now < due) {
      for (Source& other : sources) other.sink->Flush();
      while (now < due && !over()) {
        SleepUntil(std::min(due, now + kLongestSleepNs));
        now = NowNs();
      }
      if (now < due) break;
    }
    const int64_t late = std::max<int64_t>(0, now - due);
    Stream& stream = *streams_[source->index];
    if (due >= count_from_ns_.load(std::memory_order_relaxed)) stream.late.Record(late);
    if (late > stream.max_late_ns.load(std::memory_order_relaxed)) stream.max_late_ns.store(late);
    source->next_due = source->schedule.Due(++source->count);
    const Source* const next = Next(sources);
    const bool more =
        next != nullptr && (next->options.rate <= 0 || begin_ns + *next->next_due <= now);
    Send(*source, due, more);
    stream.published.store(source->count, std::memory_order_relaxed);
  }
  for (auto& [via, sink] : sinks_) {
    if (sink == nullptr) continue;
    sink->Flush();
    sink->Finish(stop_.load(std::memory_order_relaxed) ? std::chrono::seconds(0) : kPatience);
  }
  done_.store(true, std::memory_order_release);
}

void Publisher::Send(Source& source, int64_t due_ns, bool more) {
  Stamp stamp;
  stamp.stream = static_cast<uint8_t>(source.index);
  stamp.channel = source.picker.Next();
  stamp.sequence = ++source.numbers[stamp.channel];
  stamp.due_ns = due_ns;
  std::array<char, 12> digits;
  const auto write = [&digits](uint32_t number) {
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    return std::string_view(digits.data(), static_cast<size_t>(end - digits.data()));
  };
  const std::string_view number = write(stamp.channel);
  source.name.assign(source.before).append(number).append(source.after);
  if (source.options.channel.size() == source.before.size()) source.name = source.before;
  source.key.assign(number);
  std::string_view key;
  if (source.options.keys > 0) {
    const size_t at = source.key.append(".").size();
    source.key.append(write(stamp.sequence % source.options.keys));
    key = std::string_view(source.key).substr(at);
  }
  Publication publication;
  publication.stream = source.index;
  publication.channel = stamp.channel;
  // By key: `keys` is a multiple of `spread`.
  publication.partition = stamp.channel + stamp.sequence % source.options.spread;
  publication.channel_name = source.name;
  publication.record_key = source.key;
  publication.key = key;
  publication.payload = source.payload.Write(stamp, key);
  publication.due_ns = due_ns;
  publication.more = more;
  // Before it leaves: a receiver that compares must not find more than was published.
  run_.last_number(source.index, stamp.channel).store(stamp.sequence, std::memory_order_relaxed);
  while (!source.sink->Publish(publication) && !stop_.load(std::memory_order_relaxed)) {
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
}

}  // namespace spillway::load
