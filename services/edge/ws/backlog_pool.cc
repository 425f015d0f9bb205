#include "services/edge/ws/backlog_pool.h"

#include <utility>

namespace spillway::edge::ws {

BacklogPool::~BacklogPool() {
  while (nodes_ != nullptr) delete std::exchange(nodes_, nodes_->next);
  while (channels_ != nullptr) delete std::exchange(channels_, channels_->chain);
}

BacklogNode* BacklogPool::NewNode() {
  if (nodes_ == nullptr) return new BacklogNode;
  --node_count_;
  BacklogNode* const node = std::exchange(nodes_, nodes_->next);
  node->next = nullptr;
  return node;
}

void BacklogPool::Free(BacklogNode* node) {
  if (node_count_ == kKeptNodes) {
    delete node;
    return;
  }
  *node = BacklogNode();
  node->next = std::exchange(nodes_, node);
  ++node_count_;
}

BacklogChannel* BacklogPool::NewChannel() {
  if (channels_ == nullptr) return new BacklogChannel;
  --channel_count_;
  BacklogChannel* const channel = std::exchange(channels_, channels_->chain);
  channel->chain = nullptr;
  return channel;
}

void BacklogPool::Free(BacklogChannel* channel) {
  if (channel_count_ == kKeptChannels) {
    delete channel;
    return;
  }
  *channel = BacklogChannel();
  channel->chain = std::exchange(channels_, channel);
  ++channel_count_;
}

std::unique_ptr<BacklogState> BacklogPool::NewState() {
  if (states_.empty()) return std::make_unique<BacklogState>();
  std::unique_ptr<BacklogState> state = std::move(states_.back());
  states_.pop_back();
  return state;
}

void BacklogPool::Free(std::unique_ptr<BacklogState> state) {
  if (states_.size() < kKeptStates) states_.push_back(std::move(state));
}

}  // namespace spillway::edge::ws
