// The calls that send events.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/channel/channel_name.h"
#include "common/channel/channel_pattern.h"
#include "services/edge/control/admin_actions.h"
#include "services/edge/control/admin_queries.h"
#include "services/edge/control/admin_workers_op.h"
#include "services/edge/session/session.h"

namespace spillway::edge {
namespace {

constexpr size_t kBroadcastsATurn = 8;

uint64_t BroadcastToSessions(const Broadcast& broadcast, bool dry_run, const VariantTable& variants,
                             const std::vector<Session*>& targets) {
  if (dry_run) return targets.size();
  for (Session* session : targets) {
    session->SendFrame(*variants.FrameOf(*broadcast.event, 0, session->variant()), nullptr);
  }
  return targets.size();
}

// The channels of the worker that the pattern means.
std::vector<std::string> ChannelsThatMatch(const std::string& pattern, const HubShard& hub) {
  const ChannelPattern parsed = *ChannelPattern::Parse(pattern);
  std::vector<std::string> channels;
  hub.ForEachChannel([&](std::string_view name, size_t) {
    // What is subscribed to may be a pattern itself.
    if (parsed.Matches(name) && IsValidChannelName(name)) channels.emplace_back(name);
  });
  return channels;
}

uint64_t BroadcastToPattern(const Broadcast& broadcast, bool dry_run, HubShard& hub,
                            BroadcastTurns* turns) {
  if (!turns->begun) turns->channels = ChannelsThatMatch(broadcast.request->pattern(), hub);
  turns->begun = true;
  if (!turns->more()) return 0;
  wire::EventView view = broadcast.event->view();
  view.channels.clear();
  while (turns->more() && view.channels.size() < kPatternChannelsATurn) {
    view.channels.push_back(turns->channels[turns->next++]);
  }
  const Ref<EdgeEvent> event = EdgeEvent::Make(view, kNoSlot);
  if (dry_run) return hub.BroadcastTargets(*event, &turns->told);
  turns->kept.push_back(event);
  return hub.Broadcast(*event, &turns->told);
}

}  // namespace

uint64_t BroadcastTo(const Broadcast& broadcast, bool dry_run, const VariantTable& variants,
                     SessionRegistry& sessions, HubShard& hub, BroadcastTurns* turns) {
  const v1::BroadcastRequest& request = *broadcast.request;
  if (!request.pattern().empty()) return BroadcastToPattern(broadcast, dry_run, hub, turns);
  if (request.channels_size() > 0) {
    return dry_run ? hub.BroadcastTargets(*broadcast.event) : hub.Broadcast(*broadcast.event);
  }
  std::vector<Session*> targets;
  if (request.all()) targets = sessions.All();
  if (!request.label().empty()) targets = SessionsWithLabel(request.label(), sessions);
  for (const std::string& user : request.users()) {
    const std::vector<Session*> of_user = sessions.OfUser(user);
    targets.insert(targets.end(), of_user.begin(), of_user.end());
  }
  return BroadcastToSessions(broadcast, dry_run, variants, targets);
}

namespace {

using Delivered = std::vector<uint64_t>;

// Events on their way, turn by turn of all workers.
struct Batch {
  std::vector<Broadcast> broadcasts;
  bool dry_run = false;
  std::function<void(const Delivered& delivered, bool complete)> done;
  size_t next = 0;      // the first that has a turn to come
  Delivered delivered;  // of each, so far
  // How far each worker is with `next`; its own in its turn.
  std::vector<BroadcastTurns> turns;
};

// What a worker did in its turn.
struct Turn {
  Delivered delivered;
  bool more = false;  // of the last of them
};

// Whether it looks at all sessions, or all channels, of a worker.
bool IsWide(const v1::BroadcastRequest& request) {
  return request.all() || !request.label().empty() || !request.pattern().empty();
}

// Behind the last of those that go in one turn of each worker, so that others are served between: a
// few, or a single wide one.
size_t TurnEnd(const std::vector<Broadcast>& broadcasts, size_t first) {
  if (IsWide(*broadcasts[first].request)) return first + 1;
  size_t end = first;
  while (end < broadcasts.size() && end - first < kBroadcastsATurn &&
         !IsWide(*broadcasts[end].request)) {
    ++end;
  }
  return end;
}

// Turn after turn.
void Send(const AdminParts& parts, const std::shared_ptr<Batch>& batch) {
  batch->delivered.resize(batch->broadcasts.size());
  batch->turns.resize(parts.workers.count());
  const size_t first = batch->next;
  const size_t end = TurnEnd(batch->broadcasts, first);
  // The tasks hold it to the end of the workers' turns, which need the events so long.
  const auto kept =
      std::make_shared<std::vector<std::vector<Ref<EdgeEvent>>>>(parts.workers.count());
  Gather<Turn>::RunOn(
      parts.workers,
      [&parts, batch, kept, first, end](size_t worker, SessionRegistry& sessions, HubShard& hub) {
        Turn turn;
        BroadcastTurns& turns = batch->turns[worker];
        for (size_t i = first; i < end; ++i) {
          turn.delivered.push_back(BroadcastTo(batch->broadcasts[i], batch->dry_run, parts.variants,
                                               sessions, hub, &turns));
        }
        (*kept)[worker] = std::exchange(turns.kept, {});
        turn.more = turns.more();
        return turn;
      },
      [&parts, batch, first, end](const std::vector<Turn>& all, bool complete) {
        bool more = false;
        for (const Turn& turn : all) {
          more = more || turn.more;
          for (size_t i = 0; i < turn.delivered.size(); ++i) {
            batch->delivered[first + i] += turn.delivered[i];
          }
        }
        if (!more) {
          batch->next = end;
          batch->turns.clear();
        }
        if (!complete || batch->next == batch->broadcasts.size()) {
          return batch->done(batch->delivered, complete);
        }
        Send(parts, batch);
      });
}

}  // namespace

AdminOp<v1::BroadcastRequest, v1::BroadcastResponse> MakeBroadcast(const AdminParts& parts) {
  AdminOp<v1::BroadcastRequest, v1::BroadcastResponse> op;
  op.path = "/spillway.v1.AdminService/Broadcast";
  op.check = [&parts](const v1::BroadcastRequest& request) {
    return BroadcastOf(request, parts.clock.WallNow()).status();
  };
  op.local = [&parts](const v1::BroadcastRequest& request, auto done) {
    const auto batch = std::make_shared<Batch>();
    batch->broadcasts.push_back(*BroadcastOf(request, parts.clock.WallNow()));
    batch->dry_run = request.dry_run();
    batch->done = [done](const Delivered& delivered, bool complete) {
      v1::BroadcastResponse response;
      response.set_delivered(delivered[0]);
      done(complete ? grpc::Status::OK : Stopping(), std::move(response));
    };
    Send(parts, batch);
  };
  op.merge = [](const auto& request, auto answers, auto* response) {
    MergeNodes(request, std::move(answers), response);
  };
  op.count = [](const auto& response) { return response.delivered(); };
  return op;
}

AdminOp<v1::BroadcastBatchRequest, v1::BroadcastBatchResponse> MakeBroadcastBatch(
    const AdminParts& parts) {
  AdminOp<v1::BroadcastBatchRequest, v1::BroadcastBatchResponse> op;
  op.path = "/spillway.v1.AdminService/BroadcastBatch";
  op.check = [&parts](const v1::BroadcastBatchRequest& request) {
    return CheckBroadcastBatch(request, parts.clock.WallNow());
  };
  op.local = [&parts](const v1::BroadcastBatchRequest& request, auto done) {
    const auto batch = std::make_shared<Batch>();
    for (const v1::BroadcastRequest& one : request.broadcasts()) {
      batch->broadcasts.push_back(*BroadcastOf(one, parts.clock.WallNow()));
    }
    batch->dry_run = request.dry_run();
    batch->done = [done](const Delivered& delivered, bool complete) {
      v1::BroadcastBatchResponse response;
      for (uint64_t one : delivered) response.add_delivered(one);
      done(complete ? grpc::Status::OK : Stopping(), std::move(response));
    };
    Send(parts, batch);
  };
  op.merge = [](const auto& request, auto answers, auto* response) {
    MergeNodes(request, std::move(answers), response);
  };
  return op;
}

}  // namespace spillway::edge
