// World: clients that come and go, change their minds, and read or do not.

#include <memory>

#include "tests/unit/delivery/model_world.h"

namespace spillway::model {

edge::Frequency World::AnyFrequency() {
  if (!options_.lanes) return edge::Frequency::kHigh;
  return static_cast<edge::Frequency>(random_() % edge::kFrequencies);
}

void World::ChangeSubscriptions() {
  if (clients_.size() < 12 && random_() % 2 == 0) {
    Subscribed& subscribed = clients_.emplace_back();
    subscribed.client = std::make_unique<ModelClient>(channels_[random_() % channels_.size()],
                                                      random_() % 2 == 0, AnyFrequency());
    subscribed.worker = random_() % edge_->workers();
    if (options_.slow) {
      subscribed.client->MakeQueue(
          edge_->encoder, [&hub = *edge_->hubs[subscribed.worker],
                           channel = subscribed.client->channel] { return hub.TraitsOf(channel); });
    }
    edge_->hubs[subscribed.worker]->Subscribe(subscribed.client.get(), subscribed.client->channel,
                                              subscribed.client->wants_snapshot, now_,
                                              subscribed.client->frequency);
    return;
  }
  if (clients_.empty()) return;
  Subscribed& chosen = clients_[random_() % clients_.size()];
  if (chosen.ended) return;
  if (options_.slow && random_() % 2 == 0) {
    chosen.client->queue->blocked = !chosen.client->queue->blocked;
    return;
  }
  if (options_.lanes && random_() % 3 != 0) {
    const edge::Frequency frequency = AnyFrequency();
    edge_->hubs[chosen.worker]->SetFrequency(chosen.client.get(), chosen.client->channel,
                                             frequency);
    chosen.client->Changed(frequency);
  } else if (random_() % 3 == 0) {
    chosen.ended = true;
    edge_->hubs[chosen.worker]->Remove(chosen.client.get());
  } else {
    chosen.client->can_pull = !chosen.client->can_pull;
    if (chosen.client->can_pull) edge_->hubs[chosen.worker]->OnWritable(chosen.client.get(), now_);
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
      edge_->hubs[subscribed.worker]->Remove(subscribed.client.get());
    } else if (queue.HasRoom()) {
      edge_->hubs[subscribed.worker]->OnWritable(subscribed.client.get(), now_);
    }
  }
}

}  // namespace spillway::model
