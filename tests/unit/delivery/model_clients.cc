// World: clients that come and go, change their minds, and read or do not.

#include <algorithm>
#include <iterator>
#include <memory>

#include "tests/unit/delivery/model_world.h"

namespace spillway::model {

edge::Frequency World::AnyFrequency() {
  if (!options_.lanes) return edge::Frequency::kHigh;
  return static_cast<edge::Frequency>(random_() % edge::kFrequencies);
}

std::string World::AnyName() {
  // Of all channels, of two, of one.
  static constexpr const char* kPatterns[] = {"c*", "**", "ca*", "**3"};
  if (!options_.patterns) return channels_[random_() % channels_.size()];
  // There are many names: that of somebody whose place may be taken, now and then.
  if (options_.resumes && !clients_.empty() && random_() % 2 == 0) {
    return clients_[random_() % clients_.size()].client->channel;
  }
  if (random_() % 2 == 0) return channels_[random_() % channels_.size()];
  return kPatterns[random_() % std::size(kPatterns)];
}

// Most clients of whom nobody took the place yet come back, on any worker of any edge.
void World::Succeed(ModelClient& client) {
  for (Subscribed& gone : clients_) {
    if (!gone.ended || gone.succeeded || !gone.client->subscribed ||
        gone.client->channel != client.channel || random_() % 4 == 0) {
      continue;
    }
    gone.succeeded = true;
    client.ResumeAfter(*gone.client, [&gone](SlotNumber slot) {
      const auto found = gone.edge->generations.find(slot);
      const bool known = found != gone.edge->generations.end() && !found->second.unknown();
      return known ? found->second.number : -1;
    });
    if (options_.forge) {
      client.Forge(random_, !options_.truncate && !options_.stall && !options_.shaky);
    }
    ++resumed_;
    return;
  }
}

void World::ChangeSubscriptions() {
  const auto here = std::count_if(clients_.begin(), clients_.end(),
                                  [](const Subscribed& subscribed) { return !subscribed.ended; });
  if (static_cast<size_t>(here) < options_.clients && clients_.size() < 30 && random_() % 2 == 0) {
    std::string name = AnyName();
    Subscribed& subscribed = clients_.emplace_back();
    const bool snapshot = random_() % 2 == 0;
    subscribed.client = std::make_unique<ModelClient>(std::move(name), snapshot, AnyFrequency());
    subscribed.client->step = &step_;
    subscribed.edge = &AnyEdge();
    subscribed.worker = random_() % subscribed.edge->workers();
    if (options_.resumes) Succeed(*subscribed.client);
    Note(absl::StrCat("client ", clients_.size() - 1, " of ", subscribed.client->channel,
                      " subscribes at worker ", subscribed.worker, " of ", subscribed.edge->name,
                      subscribed.client->wants_snapshot ? " with a snapshot" : "",
                      subscribed.client->resumed ? " where another was" : ""));
    if (options_.slow) {
      subscribed.client->MakeQueue(subscribed.edge->encoder,
                                   [&hub = subscribed.hub(), channel = subscribed.client->channel] {
                                     return hub.TraitsOf(channel);
                                   });
    }
    subscribed.hub().Subscribe(subscribed.client.get(), subscribed.client->channel,
                               subscribed.client->wants_snapshot, now_,
                               subscribed.client->frequency, subscribed.client->Shown());
    return;
  }
  if (here == 0) return;
  Subscribed& chosen = clients_[random_() % clients_.size()];
  if (chosen.ended) return;
  if (options_.slow && random_() % 2 == 0) {
    chosen.client->queue->blocked = !chosen.client->queue->blocked;
    return;
  }
  if (options_.lanes && random_() % 3 != 0) {
    const edge::Frequency frequency = AnyFrequency();
    chosen.hub().SetFrequency(chosen.client.get(), chosen.client->channel, frequency);
    chosen.client->Changed(frequency);
  } else if (random_() % 3 == 0) {
    chosen.ended = true;
    Note(absl::StrCat("client ", &chosen - clients_.data(), " leaves"));
    chosen.hub().Remove(chosen.client.get());
  } else {
    chosen.client->can_pull = !chosen.client->can_pull;
    if (chosen.client->can_pull) chosen.hub().OnWritable(chosen.client.get(), now_);
  }
}

// Kernels take something of what waits, or all of it where nothing is blocked any more.
void World::WriteToClients() {
  for (Subscribed& subscribed : clients_) {
    if (subscribed.ended || subscribed.client->queue == nullptr) continue;
    ModelQueue& queue = *subscribed.client->queue;
    queue.Write(queue.blocked ? random_() % 60 : 1 << 20);
    if (queue.overflown) {
      subscribed.ended = true;
      subscribed.hub().Remove(subscribed.client.get());
    } else if (queue.HasRoom()) {
      subscribed.hub().OnWritable(subscribed.client.get(), now_);
    }
  }
}

}  // namespace spillway::model
