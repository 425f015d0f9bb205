#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "spillway/v1/link.pb.h"

namespace spillway::edge {

// The nodes of the cluster, as ingests tell them. A node that is told of no more is kept for a
// while, so that calls name it: it may have died a moment ago. What an ingest told stays for longer
// when the ingest itself is gone. Thread-safe.
class Members {
 public:
  struct Options {
    std::string node_id;                     // this node
    std::chrono::seconds linger{30};         // of a node that no ingest tells of
    std::chrono::minutes ingest_linger{10};  // of what an ingest told whose link is gone
    size_t max_nodes = 1'024;                // more are left out
  };

  // `clock` outlives it.
  Members(Options options, const Clock& clock) : options_(std::move(options)), clock_(clock) {}

  void OnMembership(std::string_view ingest, const v1::Membership& membership);
  void OnIngestGone(std::string_view ingest);

  // All that are known but this one, by id.
  std::vector<v1::Node> Others();
  // Of these, edges that can be called.
  std::vector<v1::Node> Peers();
  // Of these, those that take clients: an ingest tells of them now, and they do not let theirs go.
  std::vector<v1::Node> Serving();
  // Where clients reach those.
  std::vector<std::string> PublicAddresses();
  // Nodes that were left out at the bound, as of the last membership told.
  size_t left_out() const;

 private:
  struct Known {
    v1::Node node;
    MonoTime told;  // the last time that some ingest had it in its list
  };
  struct Ingest {
    std::vector<std::string> nodes;
    bool gone = false;
    MonoTime gone_at;
  };

  void Refresh(MonoTime now) SPILLWAY_REQUIRES(mutex_);

  const Options options_;
  const Clock& clock_;
  mutable Mutex mutex_;
  std::map<std::string, Known> nodes_ SPILLWAY_GUARDED_BY(mutex_);
  std::map<std::string, Ingest, std::less<>> ingests_ SPILLWAY_GUARDED_BY(mutex_);
  size_t left_out_ SPILLWAY_GUARDED_BY(mutex_) = 0;
};

}  // namespace spillway::edge
