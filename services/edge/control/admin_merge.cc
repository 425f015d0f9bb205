#include "services/edge/control/admin_merge.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <string>
#include <utility>

#include "common/control/control_entry.h"
#include "services/edge/control/admin_queries.h"
#include "services/edge/control/admin_requests.h"

namespace spillway::edge {

void MergeNodes(const v1::ListConnectionsRequest& request,
                std::vector<v1::ListConnectionsResponse> answers,
                v1::ListConnectionsResponse* response) {
  std::vector<ConnectionPage> pages;
  bool more = false;
  for (v1::ListConnectionsResponse& answer : answers) {
    more = more || !answer.next_page_token().empty();
    ConnectionPage& page = pages.emplace_back();
    for (v1::Connection& connection : *answer.mutable_connections()) {
      connection.set_node_id(answer.node_id());
      page.connections.push_back(std::move(connection));
    }
  }
  *response = MergeConnections(request, std::move(pages));
  if (more && response->next_page_token().empty() && response->connections_size() > 0) {
    response->set_next_page_token(response->connections().rbegin()->id());
  }
}

void MergeNodes(const v1::GetConnectionRequest&, std::vector<v1::GetConnectionResponse> answers,
                v1::GetConnectionResponse* response) {
  *response = std::move(answers.front());  // ids are of one node
  response->mutable_connection()->set_node_id(response->node_id());
}

void MergeNodes(const v1::TopLaggardsRequest& request, std::vector<v1::TopLaggardsResponse> answers,
                v1::TopLaggardsResponse* response) {
  std::vector<std::vector<v1::Connection>> parts;
  for (v1::TopLaggardsResponse& answer : answers) {
    std::vector<v1::Connection>& part = parts.emplace_back();
    for (v1::Connection& connection : *answer.mutable_connections()) {
      connection.set_node_id(answer.node_id());
      part.push_back(std::move(connection));
    }
  }
  *response = MergeLaggards(request, std::move(parts));
}

void MergeNodes(const v1::ListChannelsRequest& request,
                std::vector<v1::ListChannelsResponse> answers, v1::ListChannelsResponse* response) {
  std::vector<ChannelPage> pages;
  bool more = false;
  for (v1::ListChannelsResponse& answer : answers) {
    more = more || !answer.next_page_token().empty();
    pages.push_back({{answer.channels().begin(), answer.channels().end()}});
  }
  *response = MergeChannels(request, pages);
  if (more && response->next_page_token().empty() && response->channels_size() > 0) {
    response->set_next_page_token(response->channels().rbegin()->name());
  }
}

void MergeNodes(const v1::GetStatsRequest& request, std::vector<v1::GetStatsResponse> answers,
                v1::GetStatsResponse* response) {
  if (request.scope() == v1::SCOPE_NODE) {
    *response = std::move(answers.front());
    return;
  }
  for (v1::GetStatsResponse& answer : answers) {
    if (response->version().empty()) {  // of the node that was called, which is the first
      response->set_version(answer.version());
      response->set_uptime_seconds(answer.uptime_seconds());
      *response->mutable_attachments() = answer.attachments();
    }
    response->set_connections(response->connections() + answer.connections());
    response->set_channels(response->channels() + answer.channels());
    response->set_subscriptions(response->subscriptions() + answer.subscriptions());
    response->set_messages_sent(response->messages_sent() + answer.messages_sent());
    response->set_messages_received(response->messages_received() + answer.messages_received());
    response->set_events_received(response->events_received() + answer.events_received());
    *response->add_each() = std::move(answer);
  }
}

void MergeNodes(const v1::DisconnectRequest&, std::vector<v1::DisconnectResponse> answers,
                v1::DisconnectResponse* response) {
  for (const v1::DisconnectResponse& answer : answers) {
    response->set_disconnected(response->disconnected() + answer.disconnected());
  }
}

void MergeNodes(const v1::BroadcastRequest&, std::vector<v1::BroadcastResponse> answers,
                v1::BroadcastResponse* response) {
  for (const v1::BroadcastResponse& answer : answers) {
    response->set_delivered(response->delivered() + answer.delivered());
  }
}

void MergeNodes(const v1::ListBlocksRequest& request, std::vector<v1::ListBlocksResponse> answers,
                v1::ListBlocksResponse* response) {
  std::map<std::string, v1::ControlEntry> entries;
  bool more = false;
  for (v1::ListBlocksResponse& answer : answers) {
    more = more || !answer.next_page_token().empty();
    for (v1::ControlEntry& entry : *answer.mutable_entries()) {
      const auto [known, fresh] = entries.try_emplace(control::KeyOf(entry), entry);
      if (!fresh && control::Later(entry, known->second)) known->second = std::move(entry);
    }
  }
  const size_t size = PageSize(request.page_size());
  more = more || entries.size() > size;
  std::string last;
  for (auto& [key, entry] : entries) {
    if (static_cast<size_t>(response->entries_size()) == size) break;
    *response->add_entries() = std::move(entry);
    last = key;
  }
  if (more) response->set_next_page_token(last);
}

void MergeNodes(const v1::BroadcastBatchRequest& request,
                std::vector<v1::BroadcastBatchResponse> answers,
                v1::BroadcastBatchResponse* response) {
  for (int i = 0; i < request.broadcasts_size(); ++i) {
    uint64_t delivered = 0;
    for (const v1::BroadcastBatchResponse& answer : answers) {
      if (i < answer.delivered_size()) delivered += answer.delivered(i);
    }
    response->add_delivered(delivered);
  }
}

void MergeNodes(const v1::SubscribeRequest&, std::vector<v1::SubscribeResponse> answers,
                v1::SubscribeResponse* response) {
  for (const v1::SubscribeResponse& answer : answers) {
    response->set_changed(response->changed() + answer.changed());
    response->set_refused(response->refused() + answer.refused());
  }
}

void MergeNodes(const v1::GetChannelRequest& request, std::vector<v1::GetChannelResponse> answers,
                v1::GetChannelResponse* response) {
  v1::Channel* channel = response->mutable_channel();
  channel->set_name(request.channel());
  for (const v1::GetChannelResponse& answer : answers) {
    channel->set_subscribers(channel->subscribers() + answer.channel().subscribers());
  }
}

void MergeNodes(const v1::PresenceRequest& request, std::vector<v1::PresenceResponse> answers,
                v1::PresenceResponse* response) {
  std::map<std::string, uint64_t> users;
  bool more = false;
  for (const v1::PresenceResponse& answer : answers) {
    more = more || !answer.next_page_token().empty();
    response->set_anonymous(response->anonymous() + answer.anonymous());
    for (const v1::PresentUser& user : answer.users()) users[user.user_id()] += user.connections();
  }
  const size_t size = PageSize(request.page_size());
  more = more || users.size() > size;
  for (const auto& [id, connections] : users) {
    if (static_cast<size_t>(response->users_size()) == size) break;
    v1::PresentUser* user = response->add_users();
    user->set_user_id(id);
    user->set_connections(connections);
  }
  if (more) response->set_next_page_token(response->users().rbegin()->user_id());
}

void MergeNodes(const v1::PresenceStatsRequest&, std::vector<v1::PresenceStatsResponse> answers,
                v1::PresenceStatsResponse* response) {
  for (const v1::PresenceStatsResponse& answer : answers) {
    response->set_connections(response->connections() + answer.connections());
    response->set_anonymous(response->anonymous() + answer.anonymous());
    response->set_users(response->users() + answer.users());
  }
}

}  // namespace spillway::edge
