#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/base/clock.h"
#include "common/base/string_map.h"
#include "services/edge/session/publisher.h"
#include "services/edge/session/session_counters.h"

namespace spillway::edge {

// What a client is to be told with the answer.
struct PublishReceipt {
  std::optional<int64_t> id = {};  // of its command
  std::string channel = {};
  bool durable = false;
  bool show_place = false;  // it may know where the event is: it may have the channel
};

// Whoever publishes: a session.
class PublishListener {
 public:
  virtual ~PublishListener() = default;
  // Must not call the desk.
  virtual void OnPublished(const PublishReceipt& receipt, const PublishAnswer& answer) = 0;
};

// What the clients of one worker publish, from the command to the answer. What one client publishes
// to one channel is asked of an ingest in batches, one after the other, so that it keeps its order;
// channels and clients do not wait for each other. Belongs to the worker's thread; only what it
// gives to Publisher runs elsewhere, and comes back by `post`. Owned by the composition root:
// outlives the worker's sessions, and the publisher's calls.
class PublishDesk {
 public:
  struct Options {
    size_t connection = 16;           // of one client, under way or waiting
    size_t batch_bytes = 512 * 1024;  // of one call; one alone whatever its size
    size_t batch_count = 16;  // of one call; an ingest may have any bound that is not below it
  };
  // Runs a task on the worker's thread, or never, once that has ended. Any thread.
  using Post = std::function<void(std::function<void()> task)>;

  // What it is given outlives it.
  PublishDesk(const Options& options, Publisher& publisher, PublishBounds& bounds,
              const Clock& clock, SessionCounters& counters, Post post)
      : options_(options),
        publisher_(publisher),
        bounds_(bounds),
        clock_(clock),
        counters_(counters),
        post_(std::move(post)) {}

  // A client, until Leave(). Its ticket is never 0, nor used twice.
  uint64_t Enter(PublishListener* listener);
  // Nothing: it is on its way, and will be answered in another turn. Else why not: kTooMany,
  // kTooManyNode, kUnavailable.
  std::optional<PublishOutcome> Take(uint64_t ticket, PublishReceipt receipt,
                                     Publication publication);
  // The client goes: what was not asked of an ingest yet is not published. `tell`: it can still be
  // told, of all that is not answered.
  void Leave(uint64_t ticket, bool tell);

  size_t clients() const { return clients_.size(); }

 private:
  struct Waiting {
    PublishReceipt receipt;
    Publication publication;
    MonoTime since;
  };
  // A call, as long as it is under way.
  struct Asked {
    struct One {
      PublishReceipt receipt;
      MonoTime since;
      size_t bytes = 0;
    };
    uint64_t ticket = 0;
    std::string channel;
    std::vector<One> all;
  };
  // What one client publishes to one channel.
  struct Lane {
    std::deque<Waiting> waiting;
    std::shared_ptr<const Asked> asked;  // null: nothing is under way
  };
  struct Client {
    PublishListener* listener = nullptr;
    size_t count = 0;  // waiting and under way
    absl::flat_hash_map<std::string, Lane, StringHash, std::equal_to<>> lanes;
  };

  void Ask(uint64_t ticket, Lane& lane);
  void OnAnswers(const Asked& asked, const std::vector<PublishAnswer>& answers);
  void Count(const Asked::One& one, const PublishAnswer& answer);

  const Options options_;
  Publisher& publisher_;
  PublishBounds& bounds_;
  const Clock& clock_;
  SessionCounters& counters_;
  const Post post_;
  uint64_t next_ticket_ = 1;
  absl::flat_hash_map<uint64_t, Client> clients_;
};

}  // namespace spillway::edge
