// World: events that never were in Kafka.

#include <algorithm>
#include <map>

#include "tests/unit/delivery/model_world.h"

namespace spillway::model {

// Hands one to an ingest. Who is subscribed by now gets it, or is told later that some were lost;
// but for those of whose interest the ingest has yet to hear for the first time.
void World::PublishAny() {
  const size_t i = AnyIngest();
  ModelIngest& ingest = *ingests_[i];
  if (ingest.zombie) return;
  const std::string& channel = channels_[random_() % channels_.size()];
  const int number = published_++;
  published_by_.push_back(i * 1'000 + static_cast<size_t>(lives_[i]));
  std::map<const ModelEdge*, uint64_t> wanting;  // and its link
  std::set<const ModelEdge*> linked;
  for (const uint64_t id : ingest.sessions.links()) {
    linked.insert(links_.at(id).edge);
    if (!ingest.sessions.Wants(id, channel)) continue;
    wanting[links_.at(id).edge] = id;
    ingest.SendEphemeral(id, channel, number, random_() % 8 != 0);
  }
  for (Subscribed& subscribed : clients_) {
    const std::string& name = subscribed.client->channel;
    const auto wants = wanting.find(subscribed.edge);
    // An edge knows a channel by its name whoever asked for it, a pattern once it has asked itself.
    const bool is_in_force = wants == wanting.end()
                                 ? !linked.contains(subscribed.edge)
                                 : name == channel || ingest.sessions.HasAsked(wants->second, name);
    if (subscribed.ended || !subscribed.client->subscribed || !is_in_force ||
        !IsFor(name, channel)) {
      continue;
    }
    subscribed.promised.emplace_back(number, step_);
  }
}

void World::CheckEphemeral(const Subscribed& subscribed, const std::string& who,
                           std::vector<std::string>* broken) const {
  const ModelClient& client = *subscribed.client;
  std::map<size_t, int> last;  // by ingest
  for (const int number : client.ephemeral) {
    const auto [before, first] = last.insert({published_by_[static_cast<size_t>(number)], number});
    if (!first && before->second >= number) {
      broken->push_back(absl::StrCat(who, "ephemeral event ", number, " after ", before->second));
    }
    before->second = number;
  }
  if (subscribed.ended) return;
  for (const auto& [number, step] : subscribed.promised) {
    if (std::find(client.ephemeral.begin(), client.ephemeral.end(), number) !=
            client.ephemeral.end() ||
        (!client.ephemeral_gaps.empty() && client.ephemeral_gaps.back() > step)) {
      continue;
    }
    broken->push_back(absl::StrCat(who, "ephemeral event ", number, " of step ", step,
                                   " was lost, and nothing told"));
  }
}

}  // namespace spillway::model
