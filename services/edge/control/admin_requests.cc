#include "services/edge/control/admin_requests.h"

#include <simdjson.h>

#include <algorithm>
#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "common/base/strings.h"
#include "common/channel/channel_name.h"
#include "common/channel/channel_pattern.h"
#include "common/log/log.h"
#include "common/net/ip_address.h"
#include "common/wire/event_wire.h"
#include "services/edge/session/close_codes.h"
#include "services/edge/session/labels.h"
#include "spillway/v1/event.pb.h"

namespace spillway::edge {
namespace {

constexpr size_t kMaxReasonBytes = 123;  // RFC 6455, section 5.5
constexpr size_t kMaxTypeBytes = 255;
constexpr size_t kMaxBroadcastChannels = 1'000;
constexpr size_t kConnectionIdDigits = 32;
constexpr int kMaxBatch = 100;
constexpr int64_t kMaxAdviceMs = 24LL * 3600 * 1000;

absl::Status Invalid(std::string_view what) { return absl::InvalidArgumentError(Abs(what)); }

bool IsConnectionId(std::string_view id) {
  return id.size() == kConnectionIdDigits && std::all_of(id.begin(), id.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

absl::Status CheckPageSize(uint32_t size) {
  if (size <= kMaxPageSize) return absl::OkStatus();
  return Invalid(absl::StrCat("page_size is ", size, ": ask for at most ", kMaxPageSize,
                              ", and go on with page_token"));
}

// One that names the last of the page before.
absl::Status CheckChannelToken(const std::string& token) {
  if (token.empty() || IsValidChannelName(token) || ChannelPattern::Parse(token).ok()) {
    return absl::OkStatus();
  }
  return Invalid("page_token is none of ours: give the next_page_token of the page before");
}

absl::Status CheckNetwork(const std::string& ip) {
  const auto network = IpNetwork::Parse(ip);
  if (network.ok()) return absl::OkStatus();
  return Invalid(absl::StrCat("ip: ", network.status().message()));
}

absl::Status CheckChannel(const char* field, const std::string& channel) {
  if (absl::Status status = ValidateChannelName(channel); !status.ok()) {
    return Invalid(absl::StrCat(field, ": '", channel, "': ", status.message()));
  }
  return absl::OkStatus();
}

absl::Status CheckLabel(const char* field, const std::string& label) {
  const auto filter = LabelFilter::Parse(label);
  if (filter.ok()) return absl::OkStatus();
  return Invalid(absl::StrCat(field, ": '", label, "': ", filter.status().message()));
}

absl::Status CheckAdvice(const v1::ReconnectAdvice& advice) {
  for (const auto& [value, what] :
       {std::pair(advice.after_ms(), "after_ms"), std::pair(advice.spread_ms(), "spread_ms")}) {
    if (value >= 0 && value <= kMaxAdviceMs) continue;
    return Invalid(
        absl::StrCat("reconnect: ", what, " is ", value, ": at most a day, ", kMaxAdviceMs));
  }
  if (advice.never() && (advice.after_ms() != 0 || advice.spread_ms() != 0)) {
    return Invalid("reconnect: who is told never to come back is told no time");
  }
  return absl::OkStatus();
}

bool IsJson(const std::string& text) {
  thread_local simdjson::dom::parser parser;
  return parser.parse(text).error() == simdjson::SUCCESS;
}

}  // namespace

absl::Status CheckDisconnect(const v1::DisconnectRequest& request) {
  switch (request.target_case()) {
    case v1::DisconnectRequest::kConnectionId:
      if (!IsConnectionId(request.connection_id())) {
        return Invalid("connection_id must be 32 hexadecimal digits, as ListConnections shows it");
      }
      break;
    case v1::DisconnectRequest::kUserId:
      if (request.user_id().empty()) {
        return Invalid("user_id is empty: anonymous connections are ended by id, ip or all");
      }
      break;
    case v1::DisconnectRequest::kIp:
      if (request.ip().empty()) return Invalid("ip is empty: give an address as clients have it");
      if (absl::Status status = CheckNetwork(request.ip()); !status.ok()) return status;
      break;
    case v1::DisconnectRequest::kChannel:
      if (absl::Status status = CheckChannel("channel", request.channel()); !status.ok()) {
        return status;
      }
      break;
    case v1::DisconnectRequest::kEndpoint:
      if (request.endpoint().empty()) return Invalid("endpoint is empty: give its path");
      break;
    case v1::DisconnectRequest::kAll:
      if (!request.all()) return Invalid("all is false: set it to true, or name a target");
      break;
    case v1::DisconnectRequest::kLabel:
      if (absl::Status status = CheckLabel("label", request.label()); !status.ok()) return status;
      break;
    case v1::DisconnectRequest::TARGET_NOT_SET:
      return Invalid(
          "no target: set one of connection_id, user_id, ip, all, channel, endpoint, label");
  }
  if (absl::Status status = CheckAdvice(request.reconnect()); !status.ok()) return status;
  const uint32_t code = request.code();
  if (code != 0 && code != kCloseNormal.code && (code < 3000 || code > 4999)) {
    return Invalid(absl::StrCat("code is ", code, ": use 1000, or 3000 to 4999, or 0 for 4009"));
  }
  if (request.reason().size() > kMaxReasonBytes) {
    return Invalid(absl::StrCat("reason has ", request.reason().size(), " bytes: at most ",
                                kMaxReasonBytes, " fit into a close frame"));
  }
  return absl::OkStatus();
}

uint16_t DisconnectCode(const v1::DisconnectRequest& request) {
  return request.code() == 0 ? kCloseDisconnected.code : static_cast<uint16_t>(request.code());
}

absl::StatusOr<Broadcast> BroadcastOf(const v1::BroadcastRequest& request, WallTime now) {
  const int targets = (request.all() ? 1 : 0) + (request.channels_size() > 0 ? 1 : 0) +
                      (request.pattern().empty() ? 0 : 1) + (request.users_size() > 0 ? 1 : 0) +
                      (request.label().empty() ? 0 : 1);
  if (targets == 0) return Invalid("no target: give channels, pattern, users or label, or set all");
  if (targets > 1) {
    return Invalid("several targets: use one of channels, pattern, users, label, all");
  }
  if (!request.label().empty()) {
    if (absl::Status status = CheckLabel("label", request.label()); !status.ok()) return status;
  }
  for (const auto& [count, what] :
       {std::pair(request.channels_size(), "channels"), std::pair(request.users_size(), "users")}) {
    if (count <= static_cast<int>(kMaxBroadcastChannels)) continue;
    return Invalid(
        absl::StrCat(count, " ", what, ": at most ", kMaxBroadcastChannels, " in one call"));
  }
  if (!request.pattern().empty()) {
    if (auto pattern = ChannelPattern::Parse(request.pattern()); !pattern.ok()) {
      return Invalid(absl::StrCat("pattern: ", pattern.status().message()));
    }
  }
  absl::flat_hash_set<std::string_view> users;
  for (const std::string& user : request.users()) {
    if (user.empty()) return Invalid("users: one is empty");
    if (!users.insert(user).second) {
      return Invalid(absl::StrCat("users: '", user, "' is given twice"));
    }
  }
  wire::EventView view;
  for (const std::string& channel : request.channels()) {
    if (absl::Status status = ValidateChannelName(channel); !status.ok()) {
      return Invalid(absl::StrCat("channels: '", channel, "': ", status.message()));
    }
    if (std::find(view.channels.begin(), view.channels.end(), channel) != view.channels.end()) {
      return Invalid(absl::StrCat("channels: '", channel, "' is given twice"));
    }
    view.channels.push_back(channel);
  }
  if (request.all() || !request.pattern().empty()) view.channels.push_back(kEverybody);
  if (request.users_size() > 0) view.channels.push_back(kUsers);
  if (!request.label().empty()) view.channels.push_back(kLabelled);
  if (request.type().empty()) return Invalid("type is empty: clients tell events apart by it");
  if (request.type().size() > kMaxTypeBytes) {
    return Invalid(absl::StrCat("type has more than ", kMaxTypeBytes, " bytes"));
  }
  view.type = request.type();
  view.encoding = request.encoding() == v1::PAYLOAD_ENCODING_UNSPECIFIED ? v1::PAYLOAD_ENCODING_JSON
                                                                         : request.encoding();
  if (!v1::PayloadEncoding_IsValid(request.encoding())) {
    return Invalid("encoding is none that this node knows");
  }
  if (view.encoding == v1::PAYLOAD_ENCODING_JSON && !IsJson(request.payload())) {
    return Invalid(
        "payload is not one JSON value: correct it, or set encoding to PAYLOAD_ENCODING_TEXT");
  }
  view.payload = request.payload();
  view.event_time_us = ToUnixMicros(now);
  return Broadcast{&request, EdgeEvent::Make(view, kNoSlot)};
}

absl::Status CheckBroadcastBatch(const v1::BroadcastBatchRequest& request, WallTime now) {
  if (request.broadcasts().empty() || request.broadcasts_size() > kMaxBatch) {
    return Invalid(absl::StrCat(request.broadcasts_size(), " broadcasts: give 1 to ", kMaxBatch));
  }
  for (int i = 0; i < request.broadcasts_size(); ++i) {
    const auto one = BroadcastOf(request.broadcasts(i), now);
    if (!one.ok()) return Invalid(absl::StrCat("broadcasts[", i, "]: ", one.status().message()));
  }
  return absl::OkStatus();
}

absl::Status CheckSubscribe(const v1::SubscribeRequest& request) {
  if (request.target_case() == v1::SubscribeRequest::TARGET_NOT_SET) {
    return Invalid("no target: set connection_id or user_id");
  }
  if (request.has_connection_id() && !IsConnectionId(request.connection_id())) {
    return Invalid("connection_id must be 32 hexadecimal digits, as ListConnections shows it");
  }
  if (request.has_user_id() && request.user_id().empty()) {
    return Invalid("user_id is empty: anonymous connections are named by id");
  }
  if (request.channels().empty() || request.channels_size() > kMaxBatch) {
    return Invalid(absl::StrCat(request.channels_size(), " channels: give 1 to ", kMaxBatch));
  }
  for (const std::string& channel : request.channels()) {
    if (absl::Status status = CheckChannel("channels", channel); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CheckGetChannel(const v1::GetChannelRequest& request) {
  return CheckChannel("channel", request.channel());
}

absl::Status CheckPresence(const v1::PresenceRequest& request) {
  if (absl::Status status = CheckChannel("channel", request.channel()); !status.ok()) return status;
  return CheckPageSize(request.page_size());
}

absl::Status CheckPresenceStats(const v1::PresenceStatsRequest& request) {
  return CheckChannel("channel", request.channel());
}

absl::Status CheckSetLogLevel(const v1::SetLogLevelRequest& request) {
  const auto level = log::ParseLevel(request.level());
  if (level.has_value() && *level != log::Level::kOff) return absl::OkStatus();
  return Invalid("level must be debug, info, warn or error");
}

absl::Status CheckListConnections(const v1::ListConnectionsRequest& request) {
  if (!request.channel().empty()) {
    absl::Status status = IsChannelPattern(request.channel())
                              ? ChannelPattern::Parse(request.channel()).status()
                              : ValidateChannelName(request.channel());
    if (!status.ok()) {
      return Invalid(absl::StrCat("channel: ", status.message()));
    }
  }
  if (!request.ip().empty()) {
    if (absl::Status status = CheckNetwork(request.ip()); !status.ok()) return status;
  }
  if (request.labels_size() > static_cast<int>(kMaxLabels)) {
    return Invalid(
        absl::StrCat(request.labels_size(), " labels: a connection has at most ", kMaxLabels));
  }
  for (const std::string& label : request.labels()) {
    if (absl::Status status = CheckLabel("labels", label); !status.ok()) return status;
  }
  if (!request.page_token().empty() && !IsConnectionId(request.page_token())) {
    return Invalid("page_token is none of ours: give the next_page_token of the page before");
  }
  return CheckPageSize(request.page_size());
}

absl::Status CheckGetConnection(const v1::GetConnectionRequest& request) {
  if (!IsConnectionId(request.connection_id())) {
    return Invalid("connection_id must be 32 hexadecimal digits, as ListConnections shows it");
  }
  if (absl::Status status = CheckChannelToken(request.page_token()); !status.ok()) return status;
  return CheckPageSize(request.page_size());
}

absl::Status CheckTopLaggards(const v1::TopLaggardsRequest& request) {
  if (!v1::LagOrder_IsValid(request.order())) {
    return Invalid("order is unknown: there are LAG_ORDER_MESSAGES and LAG_ORDER_TIME");
  }
  if (request.limit() <= kMaxPageSize) return absl::OkStatus();
  return Invalid(absl::StrCat("limit is ", request.limit(), ": ask for at most ", kMaxPageSize));
}

absl::Status CheckListChannels(const v1::ListChannelsRequest& request) {
  if (!request.pattern().empty()) {
    if (auto pattern = ChannelPattern::Parse(request.pattern()); !pattern.ok()) {
      return Invalid(absl::StrCat("pattern: ", pattern.status().message()));
    }
  }
  if (absl::Status status = CheckChannelToken(request.page_token()); !status.ok()) return status;
  return CheckPageSize(request.page_size());
}

absl::Status CheckWatchEvents(const v1::WatchEventsRequest& request) {
  return request.ip().empty() ? absl::OkStatus() : CheckNetwork(request.ip());
}

absl::Status CheckListBlocks(const v1::ListBlocksRequest& request) {
  if (!v1::ControlKind_IsValid(request.kind())) {
    return Invalid("kind is unknown: leave it out for all kinds");
  }
  return CheckPageSize(request.page_size());
}

}  // namespace spillway::edge
