#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "common/base/clock.h"
#include "services/edge/session/auth_service.h"

namespace spillway::edge {

// Answers of an authentication service, each for a time, by what was asked. Beyond its bounds the
// one goes that was used longest ago. Holds no lock: its owner has it.
class AnswerCache {
 public:
  struct Options {
    size_t entries = 10'000;
    size_t bytes = size_t{32} << 20;
  };

  explicit AnswerCache(const Options& options) : options_(options) {}

  // Null: there is none.
  AuthVerdictRef Find(const std::string& question, MonoTime now);
  // `bytes`: what it costs to keep.
  void Put(const std::string& question, AuthVerdictRef verdict, size_t bytes, MonoTime until);

  size_t size() const { return entries_.size(); }
  size_t bytes() const { return bytes_; }
  // That went before their time.
  uint64_t evictions() const { return evictions_; }

 private:
  struct Entry {
    std::string question;
    AuthVerdictRef verdict;
    size_t bytes;
    MonoTime until;
  };
  using List = std::list<Entry>;

  void Erase(List::iterator entry);

  const Options options_;
  List order_;  // the one used last first
  absl::flat_hash_map<std::string, List::iterator> entries_;
  size_t bytes_ = 0;
  uint64_t evictions_ = 0;
};

}  // namespace spillway::edge
