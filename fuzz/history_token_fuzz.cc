// Page tokens of a channel's history, as operators send them back: `channel`, `token`, and in the
// rest offsets that were read, three bytes each. Pages go on, and end.

#include <limits>
#include <map>
#include <string>

#include "fuzz/input.h"
#include "services/edge/control/admin_history.h"
#include "services/edge/control/admin_requests.h"

namespace edge = spillway::edge;
namespace v1 = spillway::v1;
using spillway::fuzz::Require;

namespace {

// What an ingest read of slot 0: events and gaps at or behind where it was asked to.
edge::HistoryAnswer AnswerTo(const edge::HistoryAsk& ask, std::string_view offsets) {
  edge::HistoryAnswer answer;
  answer.places = ask.places;
  edge::SlotNumber slot = 0;
  for (edge::HistoryPlace& place : answer.places) {
    if (slot < 3) place.slot = slot++;  // the others are gone
  }
  edge::EdgeReadResult result;
  for (; offsets.size() >= 3; offsets.remove_prefix(3)) {
    const auto at = [&](size_t i) { return static_cast<unsigned char>(offsets[i]); };
    const int64_t base =
        answer.places.empty() ? 0 : answer.places[at(0) % 3 % answer.places.size()].after;
    if (base > std::numeric_limits<int64_t>::max() - 1'000) continue;
    spillway::wire::EventView view;
    view.channels = {"c"};
    view.payload = "{}";
    view.offset = base + at(1);
    const edge::SlotNumber of = at(0) % 3;
    if ((at(2) & 1) != 0) result.events.push_back(edge::EdgeEvent::Make(view, of));
    if ((at(2) & 2) != 0)
      result.gaps.push_back({of, view.offset, view.offset + at(2), "retention"});
    if ((at(2) & 4) != 0) result.as_of.push_back({of, view.offset});
  }
  answer.results.push_back(std::make_shared<const edge::EdgeReadResult>(std::move(result)));
  return answer;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  spillway::fuzz::Input input(data, size);
  v1::ChannelHistoryRequest request;
  request.set_page_size(input.TakeByte());
  request.set_back(input.TakeByte());
  request.set_channel(std::string(input.TakeLine()));
  request.set_page_token(std::string(input.TakeLine()));
  const std::string_view offsets = input.TakeRest();
  const auto ask = edge::HistoryAskOf(request);
  if (!ask.ok()) return 0;
  Require(ask->back > 0, "it reaches back");
  std::map<std::string, int64_t> after;
  for (const edge::HistoryPlace& place : ask->places) {
    Require(!place.source.empty() && place.after >= -1, "a place is one");
    Require(after.emplace(place.source, place.after).second, "each source once");
    Require(place.slot == edge::kNoSlot, "a slot is the answer's");
  }
  v1::ChannelHistoryResponse response;
  const auto status = edge::HistoryPage(request, AnswerTo(*ask, offsets), &response);
  Require(status.ok(), "what was read is a page");
  Require(static_cast<size_t>(response.events_size()) <= edge::PageSize(request.page_size()),
          "a page has its size");
  for (const v1::HistoryEvent& event : response.events()) {
    Require(event.offset() > after.at(event.source()), "what was shown is not shown again");
  }
  for (const v1::HistoryGap& gap : response.gaps()) {
    Require(gap.from() > after.at(gap.source()), "nor is a gap");
  }
  if (response.next_page_token().empty()) return 0;
  request.set_page_token(response.next_page_token());
  const auto next = edge::HistoryAskOf(request);
  Require(next.ok(), "a token that was given is one");
  for (const edge::HistoryPlace& place : next->places) {
    Require(place.after >= after.at(place.source), "pages go on");
  }
  return 0;
}
