#include "tools/load/run_state.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace spillway::load {

void WorkerState::Problem(std::string_view what) {
  if (first_problem[0] != '\0') return;
  const size_t size = std::min(what.size(), first_problem.size() - 1);
  std::copy_n(what.data(), size, first_problem.data());
}

void WorkerState::ClosedWith(uint16_t code) {
  for (auto& [known, count] : close_codes) {
    if (count > 0 && known != code) continue;
    known = code;
    ++count;
    return;
  }
}

absl::StatusOr<std::unique_ptr<RunState>> RunState::Create(
    size_t workers, const std::vector<StreamOptions>& streams) {
  std::unique_ptr<RunState> state(new RunState());
  size_t channels = 0;
  for (const StreamOptions& stream : streams) {
    state->first_channel_.push_back(channels);
    channels += stream.channels;
  }
  constexpr size_t kAlign = alignof(std::max_align_t);
  static_assert(alignof(WorkerState) <= kAlign && sizeof(WorkerState) % alignof(WorkerState) == 0);
  const auto aligned = [](size_t size) { return (size + kAlign - 1) / kAlign * kAlign; };
  const size_t workers_at = aligned(sizeof(Control));
  const size_t numbers_at = aligned(workers_at + workers * sizeof(WorkerState));
  state->size_ = numbers_at + channels * sizeof(std::atomic<uint32_t>);
  void* memory =
      mmap(nullptr, state->size_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return absl::InternalError(
        absl::StrCat("shared memory: ", std::generic_category().message(errno)));
  }
  state->memory_ = memory;
  char* const base = static_cast<char*>(memory);
  state->control_ = new (base) Control;
  state->worker_count_ = workers;
  state->workers_ = reinterpret_cast<WorkerState*>(base + workers_at);
  for (size_t i = 0; i < workers; ++i) new (state->workers_ + i) WorkerState;
  // Fresh pages are zero, which is what an atomic integer of zero is made of.
  state->last_numbers_ = reinterpret_cast<std::atomic<uint32_t>*>(base + numbers_at);
  static_assert(std::atomic<uint32_t>::is_always_lock_free);
  return state;
}

RunState::~RunState() {
  if (memory_ != nullptr) munmap(memory_, size_);
}

uint64_t RunState::Sum(Count WorkerState::*count) const {
  uint64_t sum = 0;
  for (size_t i = 0; i < worker_count_; ++i) sum += (workers_[i].*count).get();
  return sum;
}

int64_t RunState::LastEventNs() const {
  int64_t last = 0;
  for (size_t i = 0; i < worker_count_; ++i) {
    last = std::max(last, workers_[i].last_event_ns.load(std::memory_order_relaxed));
  }
  return last;
}

}  // namespace spillway::load
