#include "services/edge/session/publish_desk.h"

#include <chrono>
#include <utility>

#include "common/channel/channel_hash.h"

namespace spillway::edge {
namespace {

// The same for the same client, by whatever connection and node: an ingest knows what it has
// written lately.
uint64_t PlaceOf(const Publication& publication) {
  std::string text = publication.user_id.empty() ? publication.connection : publication.user_id;
  text += '\0';
  text += publication.channel;
  return ChannelHash(text);
}

}  // namespace

uint64_t PublishDesk::Enter(PublishListener* listener) {
  const uint64_t ticket = next_ticket_++;
  clients_[ticket].listener = listener;
  return ticket;
}

std::optional<PublishOutcome> PublishDesk::Take(uint64_t ticket, PublishReceipt receipt,
                                                Publication publication) {
  const auto client = clients_.find(ticket);
  if (client == clients_.end() || bounds_.shut()) return PublishOutcome::kUnavailable;
  if (client->second.count >= options_.connection) return PublishOutcome::kTooMany;
  if (!bounds_.Take(publication.bytes())) return PublishOutcome::kTooManyNode;
  ++client->second.count;
  Lane& lane = client->second.lanes[publication.channel];
  lane.waiting.push_back({std::move(receipt), std::move(publication), clock_.Now()});
  if (lane.asked == nullptr) Ask(ticket, lane);
  return std::nullopt;
}

// What gathered while another call was under way goes together.
void PublishDesk::Ask(uint64_t ticket, Lane& lane) {
  const auto batch = std::make_shared<Publisher::Batch>();
  const auto asked = std::make_shared<Asked>();
  asked->ticket = ticket;
  asked->channel = lane.waiting.front().publication.channel;
  size_t bytes = 0;
  while (!lane.waiting.empty() && batch->size() < options_.batch_count) {
    Waiting& next = lane.waiting.front();
    const size_t size = next.publication.bytes();
    if (!batch->empty() && bytes + size > options_.batch_bytes) break;
    bytes += size;
    asked->all.push_back({std::move(next.receipt), next.since, size});
    batch->push_back(std::move(next.publication));
    lane.waiting.pop_front();
  }
  lane.asked = asked;
  const uint64_t place = PlaceOf(batch->front());
  publisher_.Publish(place, batch, [this, post = post_, asked](std::vector<PublishAnswer> answers) {
    post([this, asked, answers = std::move(answers)] { OnAnswers(*asked, answers); });
  });
}

void PublishDesk::Count(const Asked::One& one, const PublishAnswer& answer) {
  counters_.publishes[static_cast<size_t>(answer.outcome)].Add();
  if (answer.duplicate) counters_.publish_duplicates.Add();
  const double seconds = std::chrono::duration<double>(clock_.Now() - one.since).count();
  (one.receipt.durable ? counters_.publish_seconds_durable : counters_.publish_seconds_ephemeral)
      .Observe(seconds);
}

void PublishDesk::OnAnswers(const Asked& asked, const std::vector<PublishAnswer>& answers) {
  const auto client = clients_.find(asked.ticket);
  for (size_t i = 0; i < asked.all.size(); ++i) {
    const Asked::One& one = asked.all[i];
    bounds_.Give(one.bytes);
    Count(one, answers[i]);
    if (client == clients_.end()) continue;  // it has gone, and nobody is told
    --client->second.count;
    client->second.listener->OnPublished(one.receipt, answers[i]);
  }
  if (client == clients_.end()) return;
  const auto lane = client->second.lanes.find(asked.channel);
  if (lane->second.waiting.empty()) {
    client->second.lanes.erase(lane);
  } else {
    Ask(asked.ticket, lane->second);
  }
}

void PublishDesk::Leave(uint64_t ticket, bool tell) {
  const auto client = clients_.find(ticket);
  if (client == clients_.end()) return;
  for (const auto& [channel, lane] : client->second.lanes) {
    if (lane.asked != nullptr && tell) {
      for (const Asked::One& one : lane.asked->all) {
        client->second.listener->OnPublished(one.receipt, {.outcome = PublishOutcome::kUnknown});
      }
    }
    for (const Waiting& one : lane.waiting) {
      bounds_.Give(one.publication.bytes());
      counters_.publishes[static_cast<size_t>(PublishOutcome::kLeft)].Add();
      if (tell) client->second.listener->OnPublished(one.receipt, {});
    }
  }
  clients_.erase(client);
}

}  // namespace spillway::edge
