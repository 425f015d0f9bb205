#include "tools/load/publisher.h"

#include <chrono>

#include "absl/strings/str_cat.h"
#include "tools/load/server_message.h"

namespace spillway::load {
namespace {

int64_t NowNs() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

}  // namespace

absl::StatusOr<std::unique_ptr<Publisher>> Publisher::Create(const Options& options) {
  std::unique_ptr<Publisher> publisher(new Publisher(options));
  ingest::KafkaSettings settings;
  settings.brokers = options.brokers;
  settings.client_id = "spillway-load";
  settings.properties["linger.ms"] = absl::StrCat(options.linger_ms);
  ingest::Producer::Options bounds;
  bounds.delivery_timeout = std::chrono::seconds(30);
  auto producer = ingest::Producer::Create(settings, bounds);
  if (!producer.ok()) return producer.status();
  publisher->producer_ = *std::move(producer);
  return publisher;
}

Publisher::~Publisher() {
  stop_.store(true, std::memory_order_relaxed);
  if (thread_.joinable()) thread_.join();
}

void Publisher::Start() {
  thread_ = std::thread([this] { Run(); });
}

bool Publisher::IsForChannel(uint64_t number) const {
  return number % options_.every == 0 ||
         number + static_cast<uint64_t>(options_.partitions) >= options_.records;
}

void Publisher::Compose(uint64_t number, int64_t due_ns, std::string* value) const {
  value->clear();
  absl::StrAppend(value, "{\"c\":\"",
                  IsForChannel(number) ? options_.channel : options_.other_channel, "\",");
  value->append(kDueMember);
  absl::StrAppend(value, due_ns, ",\"n\":", number, ",\"pad\":\"");
  constexpr size_t kEnd = 2;  // of "}
  if (value->size() + kEnd < options_.bytes) value->resize(options_.bytes - kEnd, 'x');
  value->append("\"}");
}

void Publisher::Produce(uint64_t number, int64_t due_ns, std::string* value) {
  Compose(number, due_ns, value);
  ingest::ProduceRequest request;
  request.topic = options_.topic;
  request.partition = static_cast<int32_t>(number % static_cast<uint64_t>(options_.partitions));
  request.value = *value;
  const bool for_channel = IsForChannel(number);
  const auto on_answer = [this, for_channel,
                          due_ns](const absl::StatusOr<ingest::ProducedAt>& answer) {
    if (answer.ok() && due_ns >= count_due_from_ns_.load(std::memory_order_relaxed)) {
      confirmations_.Record(NowNs() - due_ns);
    }
    if (answer.ok() && for_channel) for_channel_.fetch_add(1, std::memory_order_relaxed);
    // Last, and after everything else is written: done() follows from it.
    (answer.ok() ? confirmed_ : failed_).fetch_add(1, std::memory_order_release);
  };
  while (!stop_.load(std::memory_order_relaxed)) {
    const absl::Status status = producer_->Produce(request, on_answer);
    if (status.ok()) {
      sent_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    if (!absl::IsResourceExhausted(status)) {
      failed_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
}

void Publisher::Run() {
  std::string value;
  const int64_t start = NowNs();
  for (uint64_t n = 0; n < options_.records && !stop_.load(std::memory_order_relaxed); ++n) {
    int64_t due = NowNs();
    if (options_.rate > 0) {
      due = start + static_cast<int64_t>(static_cast<double>(n) / options_.rate * 1e9);
      const int64_t now = NowNs();
      if (now < due) std::this_thread::sleep_for(std::chrono::nanoseconds(due - now));
      const int64_t late = NowNs() - due;
      if (late > max_late_ns_.load(std::memory_order_relaxed)) max_late_ns_.store(late);
    }
    Produce(n, due, &value);
  }
  // Every record that was accepted is answered within the delivery timeout.
  while (confirmed_.load(std::memory_order_acquire) + failed_.load(std::memory_order_acquire) <
             sent() &&
         !stop_.load(std::memory_order_relaxed)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  done_.store(true, std::memory_order_release);
}

}  // namespace spillway::load
