#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "services/edge/session/publish_desk.h"

namespace spillway::edge {

// Keeps what is published until the test answers it.
class FakePublisher final : public Publisher {
 public:
  struct Call {
    uint64_t place = 0;
    std::shared_ptr<const Batch> batch;
    Done done;
  };

  void Publish(uint64_t place, std::shared_ptr<const Batch> batch, Done done) override {
    calls.push_back({place, std::move(batch), std::move(done)});
  }
  // Answers the oldest call, all of it alike.
  void Answer(const PublishAnswer& answer) {
    Call call = std::move(calls.front());
    calls.pop_front();
    call.done(std::vector<PublishAnswer>(call.batch->size(), answer));
  }
  // What the oldest call is to publish.
  std::vector<std::string> Asked() const {
    std::vector<std::string> all;
    for (const Publication& one : *calls.front().batch) {
      all.push_back(one.channel + " " + one.data);
    }
    return all;
  }

  std::deque<Call> calls;
};

// The worker's mailbox: runs what was posted when the test says so.
class FakeMailbox {
 public:
  PublishDesk::Post post() {
    return [this](std::function<void()> task) { tasks.push_back(std::move(task)); };
  }
  void Run() {
    for (auto& task : std::exchange(tasks, {})) task();
  }
  std::vector<std::function<void()>> tasks;
};

}  // namespace spillway::edge
