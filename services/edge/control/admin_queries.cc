#include "services/edge/control/admin_queries.h"

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

#include "common/channel/channel_pattern.h"
#include "services/edge/control/admin_requests.h"
#include "services/edge/session/session.h"

namespace spillway::edge {
namespace {

v1::Connection Describe(const Session& session) {
  SessionInfo info = session.Info();
  v1::Connection connection;
  connection.set_id(std::move(info.id));
  connection.set_correlation_id(std::move(info.correlation_id));
  connection.set_user_id(std::move(info.user_id));
  connection.set_ip(std::move(info.ip));
  connection.set_dialect(std::string(info.dialect));
  connection.set_endpoint(std::string(info.endpoint));
  connection.set_connected_ms(info.connected_ms);
  connection.set_subscriptions(static_cast<uint32_t>(info.subscriptions));
  connection.set_messages_sent(info.messages_sent);
  connection.set_messages_received(info.messages_received);
  connection.set_backlog_bytes(info.lag.backlog_bytes);
  connection.set_backlog_messages(info.lag.backlog_messages);
  connection.set_backlog_ms(static_cast<uint64_t>(info.lag.backlog_age.count()));
  connection.set_acknowledges(info.lag.acknowledges);
  connection.set_unacknowledged_messages(info.lag.unacknowledged);
  connection.set_unacknowledged_ms(static_cast<uint64_t>(info.lag.unacknowledged_age.count()));
  for (const auto& [name, value] : session.labels()) (*connection.mutable_labels())[name] = value;
  return connection;
}

bool IsFrom(const Session& session, const IpNetwork& network) {
  const auto address = IpAddress::Parse(session.ip());
  return address.has_value() && network.Contains(*address);
}

// Keeps the first `count` in order of `less`.
template <typename T, typename Less>
void KeepFirst(std::vector<T>* all, size_t count, Less less) {
  if (all->size() > count) {
    std::nth_element(all->begin(), all->begin() + static_cast<ptrdiff_t>(count), all->end(), less);
    all->resize(count);
  }
  std::sort(all->begin(), all->end(), less);
}

}  // namespace

std::vector<Session*> SessionsFrom(const IpNetwork& network, const SessionRegistry& sessions) {
  // Addresses of sessions are all written as this one.
  if (network.bits() == 128) return sessions.OfIp(network.first().ToString());
  std::vector<Session*> found = sessions.All();
  std::erase_if(found, [&](const Session* session) { return !IsFrom(*session, network); });
  return found;
}

std::vector<Session*> SessionsWithLabel(const std::string& label, const SessionRegistry& sessions) {
  const LabelFilter filter = *LabelFilter::Parse(label);
  std::vector<Session*> found = sessions.All();
  std::erase_if(found, [&](const Session* session) { return !filter.Matches(session->labels()); });
  return found;
}

ConnectionPage ConnectionsOf(const v1::ListConnectionsRequest& request,
                             const SessionRegistry& sessions, const HubShard& hub) {
  std::vector<LabelFilter> labels;
  for (const std::string& label : request.labels()) labels.push_back(*LabelFilter::Parse(label));
  std::optional<IpNetwork> network;
  if (!request.ip().empty()) network = *IpNetwork::Parse(request.ip());
  std::vector<Session*> found;
  if (!request.channel().empty()) {
    // Every subscriber of a hub is a session.
    for (Subscriber* subscriber : hub.SubscribersOf(request.channel())) {
      found.push_back(static_cast<Session*>(subscriber));
    }
  } else if (!request.user_id().empty()) {
    found = sessions.OfUser(request.user_id());
  } else if (network.has_value()) {
    found = SessionsFrom(*network, sessions);
  } else {
    found = sessions.All();
  }
  std::erase_if(found, [&](const Session* session) {
    return (!request.user_id().empty() && session->user_id() != request.user_id()) ||
           (network.has_value() && !IsFrom(*session, *network)) ||
           (!request.endpoint().empty() &&
            session->endpoint().options().path != request.endpoint()) ||
           (!request.page_token().empty() && session->id() <= request.page_token()) ||
           !std::all_of(labels.begin(), labels.end(),
                        [&](const LabelFilter& label) { return label.Matches(session->labels()); });
  });
  KeepFirst(&found, PageSize(request.page_size()) + 1,
            [](const Session* a, const Session* b) { return a->id() < b->id(); });
  ConnectionPage page;
  for (const Session* session : found) page.connections.push_back(Describe(*session));
  return page;
}

v1::ListConnectionsResponse MergeConnections(const v1::ListConnectionsRequest& request,
                                             std::vector<ConnectionPage> parts) {
  std::vector<v1::Connection> all;
  for (ConnectionPage& part : parts) {
    std::move(part.connections.begin(), part.connections.end(), std::back_inserter(all));
  }
  const size_t size = PageSize(request.page_size());
  KeepFirst(&all, size + 1, [](const auto& a, const auto& b) { return a.id() < b.id(); });
  const bool more = all.size() > size;
  if (more) all.pop_back();
  v1::ListConnectionsResponse response;
  if (more) response.set_next_page_token(all.back().id());
  for (v1::Connection& connection : all) *response.add_connections() = std::move(connection);
  return response;
}

std::optional<v1::GetConnectionResponse> ConnectionOf(const v1::GetConnectionRequest& request,
                                                      const SessionRegistry& sessions) {
  const Session* session = sessions.Find(request.connection_id());
  if (session == nullptr) return std::nullopt;
  v1::GetConnectionResponse response;
  *response.mutable_connection() = Describe(*session);
  const std::vector<std::string> channels = session->Channels();
  const size_t most = request.page_size() == 0 ? kMaxPageSize : request.page_size();
  for (auto channel = std::upper_bound(channels.begin(), channels.end(), request.page_token());
       channel != channels.end(); ++channel) {
    if (static_cast<size_t>(response.channels_size()) == most ||
        static_cast<size_t>(response.positions_size()) >= kMaxPageSize) {
      response.set_next_page_token(response.channels(response.channels_size() - 1));
      break;
    }
    response.add_channels(*channel);
    for (SessionPosition& position : session->PositionsIn(*channel)) {
      v1::ConnectionPosition* one = response.add_positions();
      one->set_channel(std::move(position.channel));
      one->set_source(std::move(position.source));
      one->set_pending(position.pending);
      one->set_delivered(position.delivered);
      if (position.acknowledged.has_value()) one->set_acknowledged(*position.acknowledged);
    }
  }
  return response;
}

namespace {

uint64_t LagOf(v1::LagOrder order, uint64_t messages, uint64_t unacknowledged, uint64_t ms,
               uint64_t unacknowledged_ms) {
  return order == v1::LAG_ORDER_TIME ? std::max(ms, unacknowledged_ms)
                                     : std::max(messages, unacknowledged);
}

uint64_t LagOf(v1::LagOrder order, const v1::Connection& one) {
  return LagOf(order, one.backlog_messages(), one.unacknowledged_messages(), one.backlog_ms(),
               one.unacknowledged_ms());
}

}  // namespace

std::vector<v1::Connection> LaggardsOf(const v1::TopLaggardsRequest& request,
                                       const SessionRegistry& sessions) {
  std::vector<std::pair<uint64_t, const Session*>> found;
  for (const Session* session : sessions.All()) {
    const SessionLag behind = session->Lag();
    const uint64_t lag = LagOf(request.order(), behind.backlog_messages, behind.unacknowledged,
                               static_cast<uint64_t>(behind.backlog_age.count()),
                               static_cast<uint64_t>(behind.unacknowledged_age.count()));
    if (lag > 0) found.emplace_back(lag, session);
  }
  KeepFirst(&found, LaggardCount(request.limit()), std::greater<>());
  std::vector<v1::Connection> laggards;
  laggards.reserve(found.size());
  for (const auto& [lag, session] : found) laggards.push_back(Describe(*session));
  return laggards;
}

v1::TopLaggardsResponse MergeLaggards(const v1::TopLaggardsRequest& request,
                                      std::vector<std::vector<v1::Connection>> parts) {
  std::vector<v1::Connection> all;
  for (std::vector<v1::Connection>& part : parts) {
    std::move(part.begin(), part.end(), std::back_inserter(all));
  }
  KeepFirst(&all, LaggardCount(request.limit()),
            [&](const v1::Connection& a, const v1::Connection& b) {
              return LagOf(request.order(), a) > LagOf(request.order(), b);
            });
  v1::TopLaggardsResponse response;
  for (v1::Connection& one : all) *response.add_connections() = std::move(one);
  return response;
}

ChannelPage ChannelsOf(const v1::ListChannelsRequest& request, const HubShard& hub) {
  std::optional<ChannelPattern> pattern;
  if (!request.pattern().empty()) pattern = *ChannelPattern::Parse(request.pattern());
  std::vector<std::pair<std::string_view, size_t>> found;
  hub.ForEachChannel([&](std::string_view name, size_t subscribers) {
    if (name <= request.page_token() || (pattern.has_value() && !pattern->Matches(name))) return;
    found.emplace_back(name, subscribers);
  });
  // Another worker may have the same channels: the first ones of all are among the first of each.
  KeepFirst(&found, PageSize(request.page_size()) + 1,
            [](const auto& a, const auto& b) { return a.first < b.first; });
  ChannelPage page;
  for (const auto& [name, subscribers] : found) {
    v1::Channel& channel = page.channels.emplace_back();
    channel.set_name(std::string(name));
    channel.set_subscribers(subscribers);
  }
  return page;
}

v1::ListChannelsResponse MergeChannels(const v1::ListChannelsRequest& request,
                                       const std::vector<ChannelPage>& parts) {
  std::map<std::string, uint64_t> all;
  for (const ChannelPage& part : parts) {
    for (const v1::Channel& channel : part.channels) all[channel.name()] += channel.subscribers();
  }
  const size_t size = PageSize(request.page_size());
  v1::ListChannelsResponse response;
  for (const auto& [name, subscribers] : all) {
    if (static_cast<size_t>(response.channels_size()) == size) {
      response.set_next_page_token(response.channels(response.channels_size() - 1).name());
      break;
    }
    v1::Channel* channel = response.add_channels();
    channel->set_name(name);
    channel->set_subscribers(subscribers);
    channel->set_pattern(IsChannelPattern(name));
  }
  return response;
}

}  // namespace spillway::edge
