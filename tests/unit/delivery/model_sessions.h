#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/channel/channel_hash.h"
#include "services/ingest/link/wanted_channels.h"
#include "spillway/v1/link.pb.h"

namespace spillway::model {

// What an ingest's sessions hold of each link, for what never was in Kafka.
class ModelSessions {
 public:
  void Open(uint64_t link) { sessions_[link] = {}; }
  void Close(uint64_t link) { sessions_.erase(link); }
  void Apply(uint64_t link, const v1::Interest& interest) {
    Session& session = sessions_[link];
    session.wanted.Apply(interest);
    session.sequence = interest.sequence();
    if (interest.full()) session.names.clear();
    for (const std::string& name : interest.remove()) session.names.erase(name);
    session.names.insert(interest.add().begin(), interest.add().end());
  }
  uint64_t SequenceOf(uint64_t link) const { return sessions_.at(link).sequence; }
  std::vector<uint64_t> links() const {
    std::vector<uint64_t> all;
    for (const auto& [link, session] : sessions_) all.push_back(link);
    return all;
  }
  bool Wants(uint64_t link, const std::string& channel) {
    ingest::WantedChannels& wanted = sessions_.at(link).wanted;
    return wanted.ContainsAny(std::vector<uint64_t>{ChannelHash(channel)}) ||
           wanted.MatchesAny(std::vector<std::string_view>{channel});
  }
  // By that name, of a channel or a pattern.
  bool HasAsked(uint64_t link, const std::string& name) const {
    return sessions_.at(link).names.contains(name);
  }
  // The next message of a link: an event, or, without room for it, that it was dropped.
  v1::LinkResponse Next(uint64_t link, const std::string& channel, int number, bool room) {
    v1::LinkResponse response;
    const uint64_t of_link = sessions_.at(link).next++;
    response.mutable_ephemeral()->set_first(room ? of_link : of_link + 1);
    if (!room) return response;
    v1::Event* event = response.mutable_ephemeral()->add_events();
    event->add_channels(channel);
    event->set_payload(std::to_string(number));
    return response;
  }

 private:
  struct Session {
    ingest::WantedChannels wanted;
    std::set<std::string> names;
    uint64_t sequence = 0;  // of interest
    uint64_t next = 1;      // number of the next event
  };
  std::map<uint64_t, Session> sessions_;
};

}  // namespace spillway::model
