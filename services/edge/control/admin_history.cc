#include "services/edge/control/admin_history.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/strings.h"
#include "common/channel/channel_name.h"
#include "services/edge/control/admin_requests.h"

namespace spillway::edge {
namespace {

constexpr uint64_t kDefaultBack = 10'000;
constexpr uint64_t kMostBack = 1'000'000;
constexpr size_t kPageBytes = 1 << 20;
constexpr size_t kMostPlaces = 10'000;
constexpr size_t kMaxSourceBytes = 300;  // a topic has up to 249

// Places as a page token: "source|after|until;...". No topic has such characters.
std::string TokenOf(const std::vector<HistoryPlace>& places) {
  std::string token;
  bool more = false;
  for (const HistoryPlace& place : places) {
    more = more || place.after < place.until;
    absl::StrAppend(&token, token.empty() ? "" : ";", place.source, "|", place.after, "|",
                    place.until);
  }
  return more ? token : std::string();
}

absl::StatusOr<std::vector<HistoryPlace>> PlacesOf(const std::string& token) {
  const absl::Status bad = absl::InvalidArgumentError(
      "page_token is none of ours: give the next_page_token of the page before");
  std::vector<HistoryPlace> places;
  for (const absl::string_view entry : absl::StrSplit(token, ';')) {
    const std::vector<absl::string_view> parts = absl::StrSplit(entry, '|');
    HistoryPlace place;
    if (places.size() == kMostPlaces || parts.size() != 3 || parts[0].empty() ||
        parts[0].size() > kMaxSourceBytes || !absl::SimpleAtoi(parts[1], &place.after) ||
        !absl::SimpleAtoi(parts[2], &place.until) || place.after < -1) {
      return bad;
    }
    place.source = std::string(parts[0]);
    // By source, each once: as they were given out.
    if (!places.empty() && places.back().source >= place.source) return bad;
    places.push_back(std::move(place));
  }
  return places;
}

v1::HistoryEvent Describe(const EdgeEvent& event, const std::string& source) {
  const wire::EventView& view = event.view();
  v1::HistoryEvent shown;
  shown.set_source(source);
  shown.set_offset(event.offset());
  shown.set_time_ms(view.event_time_us / 1000);
  shown.set_type(std::string(view.type));
  shown.set_key(std::string(view.key));
  shown.set_encoding(static_cast<v1::PayloadEncoding>(view.encoding));
  if (shown.encoding() == v1::PAYLOAD_ENCODING_JSON ||
      shown.encoding() == v1::PAYLOAD_ENCODING_TEXT) {
    shown.set_payload(std::string(view.payload));
  } else {
    shown.set_data(std::string(view.payload));
  }
  shown.set_deleted(view.tombstone);
  shown.set_trace_id(std::string(view.trace_id));
  return shown;
}

grpc::Status Outcome(const v1::ChannelHistoryRequest& request, HistoryAnswer::Outcome outcome) {
  switch (outcome) {
    case HistoryAnswer::Outcome::kRead:
      return grpc::Status::OK;
    case HistoryAnswer::Outcome::kNotFed:
      return {grpc::StatusCode::NOT_FOUND,
              absl::StrCat("no route of an ingest feeds '", request.channel(), "'")};
    case HistoryAnswer::Outcome::kUnknown:
      return {grpc::StatusCode::UNAVAILABLE,
              "no ingest has told a complete catalogue yet: try again later"};
    case HistoryAnswer::Outcome::kBusy:
      return {
          grpc::StatusCode::RESOURCE_EXHAUSTED,
          "history_busy: this node reads as many histories as it may: try again later, or another "
          "node"};
    case HistoryAnswer::Outcome::kFailed:
      return {grpc::StatusCode::UNAVAILABLE,
              "history_unavailable: it could not be read in time: try again, with the same "
              "page_token"};
    case HistoryAnswer::Outcome::kStopping:
      return {grpc::StatusCode::UNAVAILABLE, "this node is shutting down: ask another"};
  }
  return grpc::Status::OK;
}

// What was read of one source.
struct Piece {
  std::vector<const EdgeEvent*> events = {};  // by offset
  std::vector<const EdgeReadResult::Gap*> gaps = {};
  int64_t upto = -1;
};

Piece PieceOf(const HistoryAnswer& answer, const HistoryPlace& place) {
  Piece piece{.upto = place.after};
  for (const auto& result : answer.results) {
    for (const EdgeBatch::Progress& as_of : result->as_of) {
      if (as_of.slot == place.slot) piece.upto = std::max(piece.upto, as_of.upto);
    }
    for (const Ref<EdgeEvent>& event : result->events) {
      if (event->slot() == place.slot && event->offset() > place.after &&
          event->offset() <= place.until) {
        piece.events.push_back(event.get());
      }
    }
    for (const EdgeReadResult::Gap& gap : result->gaps) {
      if (gap.slot == place.slot && gap.to > place.after && gap.from <= place.until) {
        piece.gaps.push_back(&gap);
      }
    }
  }
  std::stable_sort(
      piece.events.begin(), piece.events.end(),
      [](const EdgeEvent* a, const EdgeEvent* b) { return a->offset() < b->offset(); });
  // Beyond a gap there is nothing of it.
  for (const EdgeReadResult::Gap* gap : piece.gaps) piece.upto = std::max(piece.upto, gap->to);
  return piece;
}

void AddGap(const HistoryPlace& place, int64_t from, int64_t to, const std::string& reason,
            v1::ChannelHistoryResponse* response) {
  v1::HistoryGap* gap = response->add_gaps();
  gap->set_source(place.source);
  gap->set_from(std::max(from, place.after + 1));
  gap->set_to(std::min(to, place.until));
  gap->set_reason(reason);
}

}  // namespace

absl::StatusOr<HistoryAsk> HistoryAskOf(const v1::ChannelHistoryRequest& request) {
  if (absl::Status status = ValidateChannelName(request.channel()); !status.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("channel: '", request.channel(), "': ", status.message()));
  }
  if (request.page_size() > kMaxPageSize) {
    return absl::InvalidArgumentError(absl::StrCat("page_size is ", request.page_size(),
                                                   ": ask for at most ", kMaxPageSize,
                                                   ", and go on with page_token"));
  }
  if (request.back() > kMostBack) {
    return absl::InvalidArgumentError(
        absl::StrCat("back is ", request.back(), ": at most ", kMostBack));
  }
  HistoryAsk ask;
  ask.channel = request.channel();
  ask.back = static_cast<int64_t>(request.back() == 0 ? kDefaultBack : request.back());
  if (request.page_token().empty()) return ask;
  auto places = PlacesOf(request.page_token());
  if (!places.ok()) return places.status();
  ask.places = *std::move(places);
  return ask;
}

grpc::Status HistoryPage(const v1::ChannelHistoryRequest& request, const HistoryAnswer& answer,
                         v1::ChannelHistoryResponse* response) {
  if (answer.outcome != HistoryAnswer::Outcome::kRead) return Outcome(request, answer.outcome);
  const size_t size = PageSize(request.page_size());
  size_t bytes = 0;
  std::vector<HistoryPlace> places = answer.places;
  bool full = false;
  for (HistoryPlace& place : places) {
    if (full || place.after >= place.until) continue;
    if (place.slot == kNoSlot) {  // its topic was made anew, or no route reads it any more
      AddGap(place, place.after + 1, place.until, "reset", response);
      place.after = place.until;
      continue;
    }
    const Piece piece = PieceOf(answer, place);
    int64_t upto = std::min(piece.upto, place.until);
    for (const EdgeEvent* event : piece.events) {
      if (static_cast<size_t>(response->events_size()) == size || bytes >= kPageBytes) {
        full = true;
        upto = event->offset() - 1;
        break;
      }
      bytes += event->view().payload.size();
      *response->add_events() = Describe(*event, place.source);
    }
    for (const EdgeReadResult::Gap* gap : piece.gaps) {
      if (gap->from <= upto) {
        AddGap(place, gap->from, std::min(gap->to, upto), gap->reason, response);
      }
    }
    place.after = upto;
  }
  response->set_next_page_token(TokenOf(places));
  return grpc::Status::OK;
}

}  // namespace spillway::edge
