#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/backoff.h"
#include "common/base/clock.h"
#include "services/edge/upstream/link_core_sink.h"

namespace spillway::edge {

// An ingest's address as operators see it.
struct IngestTargetStatus {
  std::string address;
  std::string node_id = {};  // of the last link; empty if there was none
  bool up = false;           // linked, and its ingest has spoken
  bool duplicate = false;    // not linked: its ingest is, by another address
  std::string error = {};    // why the last attempt ended
};

// The addresses at which ingests are, and when each is to be dialled: one link per address, again
// and again, with growing waits. A pure state machine. Owned by the link thread, which alone calls
// it.
class IngestTargets {
 public:
  struct Options {
    Backoff::Options backoff{.initial = std::chrono::milliseconds(100),
                             .max = std::chrono::milliseconds(2'000),
                             .multiplier = 2.0,
                             .jitter = 0.3};
    // Before an address is tried again whose ingest is linked by another.
    std::chrono::milliseconds duplicate_wait{10'000};
  };
  // `random`: uniform in [0, 1).
  IngestTargets(const Options& options, const std::vector<std::string>& addresses,
                Backoff::Random random);

  // What the DNS name stands for now. Addresses that are gone are forgotten once they have no link.
  void SetResolved(const std::vector<std::string>& addresses);

  struct Dial {
    LinkId link;
    std::string address;
  };
  // The addresses to dial now, each under a link id of its own, never used before.
  std::vector<Dial> TakeDue(MonoTime now);

  // The link's ingest has said who it is.
  void OnHello(LinkId link, std::string_view node_id);
  // The attempt, or the link, has ended. True if that is news: the address was up, or has not
  // failed before.
  bool OnEnded(LinkId link, std::string_view error, bool duplicate, MonoTime now);

  // How many links there are once all have come up: addresses, without those that are known to be
  // further ones of an ingest.
  size_t ExpectedLinks() const;
  // Empty if there is no such link.
  std::string AddressOf(LinkId link) const;
  std::vector<IngestTargetStatus> Status() const;

 private:
  struct Target {
    explicit Target(const Backoff::Options& options, const Backoff::Random& random)
        : backoff(options, random) {}
    bool configured = false;
    bool resolved = false;
    Backoff backoff;
    MonoTime dial_at;
    LinkId link = 0;
    bool heard = false;
    bool duplicate = false;
    bool failed = false;  // and nothing better has happened since
    std::string node_id;
    std::string error;
  };
  using Targets = std::map<std::string, Target>;

  Target& Open(const std::string& address);
  Targets::iterator Find(LinkId link);
  void Forget();

  const Options options_;
  const Backoff::Random random_;
  Targets targets_;
  LinkId next_link_ = 1;
};

}  // namespace spillway::edge
