#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>

#include "absl/strings/numbers.h"
#include "services/edge/hub/known_marks.h"

namespace spillway::model {

// What a client shows of one partition when it comes back.
struct Claim {
  int64_t at = -1;
  edge::Mark mark;
  bool pending = false;
  bool forged = false;
  bool may_pass = false;  // it cannot be told from a true one
  int generation = -1;    // of which of the topics of one name it is; -1: it is not known
};

// By source: "topic/partition@incarnation".
class Claims {
 public:
  static std::string PartitionOf(const std::string& source) {
    return source.substr(0, source.rfind('@'));
  }
  static uint64_t IncarnationOf(const std::string& source) {
    uint64_t incarnation = 0;
    const size_t at = source.rfind('@');
    if (at != std::string::npos) (void)absl::SimpleAtoi(source.substr(at + 1), &incarnation);
    return incarnation;
  }

  Claim& operator[](const std::string& source) { return claims_[source]; }
  auto begin() const { return claims_.begin(); }
  auto end() const { return claims_.end(); }

  // The newest of a partition that is not pending; null: none.
  const Claim* For(const std::string& partition) const {
    const Claim* best = nullptr;
    uint64_t newest = 0;
    for (const auto& [source, claim] : claims_) {
      if (PartitionOf(source) != partition) continue;
      const uint64_t incarnation = IncarnationOf(source);
      if (best != nullptr && (claim.pending || (!best->pending && incarnation <= newest))) continue;
      newest = incarnation;
      best = &claim;
    }
    return best;
  }

  // Shows what was never told: other fingerprints, places far ahead, or no proof at all. False:
  // nothing of it is forged.
  bool Forge(std::mt19937_64& random, bool whole) {
    bool forged = false;
    for (auto& [source, claim] : claims_) {
      if (claim.pending || claim.at < 0) continue;
      switch (random() % 4) {
        case 0:
          claim.mark = {};
          break;
        case 1:
          if (claim.mark.fingerprint == 0) break;
          claim.forged = forged = true;
          // What is not to be had any more proves nothing, in either direction.
          claim.may_pass = !whole;
          claim.mark.fingerprint = static_cast<uint16_t>(claim.mark.fingerprint + 1);
          break;
        case 2:
          claim.forged = forged = true;
          claim.at += 1'000'000;
          break;
        default:
          break;
      }
    }
    return forged;
  }

 private:
  std::map<std::string, Claim> claims_;
};

}  // namespace spillway::model
