#include "services/ingest/shard/shard.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "common/log/log.h"
#include "services/ingest/kafka/idempotency_key.h"

namespace spillway::ingest {
namespace {

constexpr std::chrono::milliseconds kTick{100};
constexpr std::chrono::milliseconds kReport{1'000};

}  // namespace

Shard::Shard(Options options, const Clock& clock, PartitionConsumer& live, PartitionConsumer& scans,
             LinkSink& sink, ShardServices& services, DeadLetter* dead_letter)
    : options_(options),
      clock_(clock),
      services_(services),
      dead_letter_(dead_letter),
      wake_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      core_(options.core, *this, sink),
      live_(live.NewReader(wake_fd_)),
      scans_(scans.NewReader(wake_fd_)),
      rejects_(clock, options.log_interval) {}

Shard::~Shard() {
  Stop();
  live_.reset();
  scans_.reset();
  close(wake_fd_);
}

void Shard::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Shard::Stop() {
  if (!thread_.joinable()) return;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  Wake();
  thread_.join();
}

void Shard::Post(Task task) {
  bool first = false;
  {
    MutexLock lock(mutex_);
    first = mailbox_.empty();
    mailbox_.push_back(std::move(task));
  }
  if (first) Wake();  // one wake-up for all that is posted until the shard looks
}

void Shard::Wake() {
  const uint64_t one = 1;
  // Fails only when the counter is full, and then the shard is awake.
  [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof one);
}

bool Shard::RunTasks(MonoTime now) {
  std::vector<Task> tasks;
  bool stopping = false;
  {
    MutexLock lock(mutex_);
    tasks.swap(mailbox_);
    stopping = stopping_;
  }
  for (const Task& task : tasks) task(core_, now);
  return !stopping;
}

void Shard::Run() {
  MonoTime next_tick = clock_.Now();
  bool more = false;
  for (;;) {
    if (!more) {
      // Rounded up: 0 would spin through the last millisecond before every tick.
      const auto wait =
          std::chrono::ceil<std::chrono::milliseconds>(next_tick - clock_.Now()).count();
      pollfd fd{.fd = wake_fd_, .events = POLLIN, .revents = 0};
      poll(&fd, 1, static_cast<int>(std::clamp<int64_t>(wait, 0, kTick.count())));
    }
    // Emptied before the queues are looked at: what arrives later writes again.
    uint64_t signals = 0;
    [[maybe_unused]] const ssize_t got = read(wake_fd_, &signals, sizeof signals);
    const MonoTime now = clock_.Now();
    wall_us_ = ToUnixMicros(clock_.WallNow());
    if (!RunTasks(now)) return;
    more = PollReader(*live_, /*live=*/true, now);
    if (core_.scan_room()) more = PollReader(*scans_, /*live=*/false, now) || more;
    core_.Pump(now);
    if (now >= next_tick) {
      core_.Tick(now, wall_us_, /*busy=*/more);
      core_.Pump(now);
      UpdateMetrics();
      ReportReaders(now);
      next_tick = now + kTick;
    }
  }
}

void Shard::ReportReaders(MonoTime now) {
  const size_t stalls = core_.stalled_readers();
  if (now < next_report_ && stalls == reported_stalls_) return;
  next_report_ = now + kReport;
  reported_stalls_ = stalls;
  std::vector<ReaderReport> reports;
  for (const ShardCore::ReaderStatus& status : core_.reader_statuses()) {
    const SlotInfo& info = partitions_.at(status.slot).slot.info;
    reports.push_back({.status = status, .topic = info.topic, .partition = info.partition});
  }
  services_.Readers(options_.core.shard, std::move(reports));
}

bool Shard::PollReader(ShardReader& reader, bool live, MonoTime now) {
  return reader.Poll(options_.poll_records,
                     [&](const PartitionEvent& event) { OnEvent(event, live, now); });
}

void Shard::AddSlot(ShardSlot slot) {
  core_.AddSlot(slot.info);
  partitions_[slot.info.id].slot = std::move(slot);
}

void Shard::RemoveSlot(SlotId slot, std::string_view reason) {
  core_.RemoveSlot(slot, reason);
  partitions_.erase(slot);
}

void Shard::Resolve(SlotId id) {
  const auto found = partitions_.find(id);
  if (found == partitions_.end()) return;
  const SlotInfo& info = found->second.slot.info;
  services_.Resolve(options_.core.shard, id, info.topic, info.partition);
}

int64_t Shard::ReadFrom(const Partition& partition, int64_t from, int64_t earliest,
                        std::unique_ptr<Partition::Repeats>* repeats) {
  const int64_t window = partition.slot.route->idempotency_window;
  if (window == 0) return from;
  repeats->reset(new Partition::Repeats{.from = from, .filter = RepeatFilter(window)});
  return std::min(from, std::max(earliest, from - window + 1));
}

void Shard::StartLive(SlotId id, int64_t from, int64_t earliest) {
  Partition& partition = partitions_.at(id);
  const SlotInfo& info = partition.slot.info;
  partition.live_cookie = next_cookie_++;
  by_cookie_[partition.live_cookie] = id;
  const absl::Status status = live_->StartPartition(
      info.topic, info.partition, ReadFrom(partition, from, earliest, &partition.live_repeats),
      partition.live_cookie);
  if (!status.ok()) {
    rejects_.Error(
        info.topic, "a partition cannot be read",
        {{"topic", info.topic}, {"partition", info.partition}, {"error", status.ToString()}});
  }
}

void Shard::StopLive(SlotId id) {
  Partition& partition = partitions_.at(id);
  if (partition.live_cookie == 0) return;
  live_->StopPartition(partition.live_cookie);
  by_cookie_.erase(std::exchange(partition.live_cookie, 0));
  partition.live_repeats.reset();
}

void Shard::StartScan(SlotId id, int64_t from, int64_t from_time_ms, int64_t earliest) {
  Partition& partition = partitions_.at(id);
  partition.scan_earliest = earliest;
  partition.scan = next_cookie_++;
  if (from_time_ms >= 0) {
    const SlotInfo& info = partition.slot.info;
    services_.ResolveTime(options_.core.shard, id, info.topic, info.partition, from_time_ms, from,
                          partition.scan);
  } else {
    BeginScan(id, partition.scan, from);
  }
}

void Shard::BeginScan(SlotId id, uint64_t scan, int64_t from) {
  const auto found = partitions_.find(id);
  if (found == partitions_.end() || found->second.scan != scan) return;  // stopped meanwhile
  Partition& partition = found->second;
  const SlotInfo& info = partition.slot.info;
  partition.scan_cookie = next_cookie_++;
  by_cookie_[partition.scan_cookie] = id;
  const absl::Status status = scans_->StartPartition(
      info.topic, info.partition,
      ReadFrom(partition, from, partition.scan_earliest, &partition.scan_repeats),
      partition.scan_cookie);
  if (!status.ok()) core_.OnScanError(id, std::string(status.message()), clock_.Now());
}

void Shard::StopScan(SlotId id) {
  Partition& partition = partitions_.at(id);
  partition.scan = 0;
  if (partition.scan_cookie == 0) return;
  scans_->StopPartition(partition.scan_cookie);
  by_cookie_.erase(std::exchange(partition.scan_cookie, 0));
  partition.scan_repeats.reset();
}

void Shard::OnEvent(const PartitionEvent& event, bool live, MonoTime now) {
  const auto cookie = by_cookie_.find(event.cookie);
  if (cookie == by_cookie_.end()) return;
  const SlotId id = cookie->second;
  Partition& partition = partitions_.at(id);
  switch (event.kind) {
    case PartitionEvent::Kind::kRecord:
      OnRecord(partition, *event.record, live, now);
      break;
    case PartitionEvent::Kind::kEof:
      if (live) {
        core_.OnLiveEnd(id, event.offset, now);
      } else {
        core_.OnScanEnd(id, event.offset, now);
      }
      break;
    case PartitionEvent::Kind::kError: {
      const SlotInfo& info = partition.slot.info;
      rejects_.Warn(info.topic, "reading a partition failed",
                    {{"topic", info.topic},
                     {"partition", info.partition},
                     {"error", PartitionErrorName(event.error)},
                     {"detail", event.text}});
      if (event.ended) {  // the reader has forgotten the cookie
        (live ? partition.live_cookie : partition.scan_cookie) = 0;
        by_cookie_.erase(cookie);
      }
      if (live) {
        core_.OnLiveError(id, event.ended, PartitionErrorName(event.error), event.text, now);
      } else if (event.ended) {
        core_.OnScanError(id, event.text, now);
      }
      break;
    }
  }
}

void Shard::OnRecord(Partition& partition, const RecordView& record, bool live, MonoTime now) {
  Partition::Repeats* const repeats =
      (live ? partition.live_repeats : partition.scan_repeats).get();
  bool repeat = false;
  if (repeats != nullptr) {
    repeat = repeats->filter.IsRepeat(
        record.Header(kIdempotencyHeader).value_or(std::string_view()), record.offset);
    if (record.offset < repeats->from) return;
  }
  if (repeat) {
    RecordBuilder::BuildEmpty(record, live, wall_us_, &normalised_);
    if (live) metrics_.repeats.Add();
  } else {
    Normalise(partition, record, live);
  }
  const SlotId id = partition.slot.info.id;
  if (live) {
    metrics_.records.Add();
    metrics_.bytes.Add((record.value ? record.value->size() : 0) +
                       (record.key ? record.key->size() : 0));
    metrics_.events.Add(normalised_.record.events.size());
    core_.OnLiveRecord(id, normalised_, now);
  } else {
    core_.OnScanRecord(id, normalised_, now);
  }
}

void Shard::Normalise(const Partition& partition, const RecordView& record, bool live) {
  const SlotInfo& info = partition.slot.info;
  const NormaliseResult result =
      builder_.Build(partition.slot, record, live, wall_us_, &normalised_);
  // A scan meets the same records again: only the live reader speaks of them.
  if (!result.rejected.has_value() || !live) return;
  {
    MutexLock lock(rejected_mutex_);
    ++rejected_[{info.topic, std::string(RejectCode(*result.rejected))}];
  }
  const std::string reason = result.Describe();
  rejects_.Warn(std::string(info.topic) + "|" + reason, "a record was rejected",
                {{"topic", info.topic},
                 {"partition", info.partition},
                 {"offset", record.offset},
                 {"reason", reason}});
  if (dead_letter_ != nullptr) dead_letter_->Send(info.topic, info.partition, record, reason);
}

Shard::Rejected Shard::rejected() const {
  MutexLock lock(rejected_mutex_);
  return rejected_;
}

void Shard::UpdateMetrics() {
  const auto bring = [](metrics::Counter& counter, uint64_t value) {
    counter.Add(value - counter.Value());
  };
  const ShardCore::Counters& counters = core_.counters();
  bring(metrics_.batches, counters.batches);
  bring(metrics_.batch_bytes, counters.batch_bytes);
  bring(metrics_.behind, counters.behind);
  bring(metrics_.skipped, counters.skipped);
  bring(metrics_.gaps, counters.gaps);
  bring(metrics_.scans, counters.scans);
  bring(metrics_.latest_evicted, counters.latest_evicted);
  bring(metrics_.patterns_forgotten, counters.patterns_forgotten);
  bring(metrics_.rereads, counters.rereads);
  bring(metrics_.reread_records, counters.reread_records);
  metrics_.readers.Set(static_cast<int64_t>(core_.readers()));
  metrics_.stalled_readers.Set(static_cast<int64_t>(core_.stalled_readers()));
  metrics_.queued_records.Set(static_cast<int64_t>(live_->queued() + scans_->queued()));
  metrics_.paused_partitions.Set(
      static_cast<int64_t>((live_->full() ? live_->partitions() : 0) +
                           (scans_->full() || !core_.scan_room() ? scans_->partitions() : 0)));
  metrics_.log_bytes.Set(static_cast<int64_t>(core_.log_bytes()));
  metrics_.snapshot_bytes.Set(static_cast<int64_t>(core_.latest_bytes()));
  metrics_.reread_bytes.Set(static_cast<int64_t>(core_.reread_bytes()));
}

}  // namespace spillway::ingest
