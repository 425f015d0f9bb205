// Records of topics, made events of by routes that use all there is: what is sent on is bounded, of
// channels with good names, and JSON where it says so. A key in the first line, then the value.

#include <optional>
#include <vector>

#include "common/channel/channel_name.h"
#include "common/config/environment.h"
#include "common/config/loader.h"
#include "fuzz/input.h"
#include "services/ingest/normalise/json_document.h"
#include "services/ingest/normalise/normaliser.h"
#include "services/ingest/normalise/route_table.h"
#include "spillway/v1/event.pb.h"

namespace config = spillway::config;
namespace ingest = spillway::ingest;
using spillway::fuzz::Require;

namespace {

constexpr char kRoutes[] = R"(ingest:
  routes:
    - name: prices
      topics: [prices]
      emit:
        - channels: ["price:{/symbol}", "all"]
          key: "{/symbol}"
          type: price
          event_time: {source: /ts}
          snapshot: {mode: by_key, horizon: 10m}
        - channels: ["user:{/user/id}"]
          type: "{/kind}"
          when: [{source: /user/id}]
          payload: {pick: {side: /side, price: /price}, add: {of: "{/symbol}", all: "1"}}
    - name: raw
      topics: [raw]
      decode: {format: raw}
      emit: [{channels: ["raw:{key}"], key: "{key}"}]
)";
class Text final : public config::Environment {
 public:
  std::optional<std::string> Get(const std::string&) const override { return std::nullopt; }
  std::vector<std::string> Names() const override { return {}; }
  absl::StatusOr<std::string> ReadFile(const std::string&) const override { return kRoutes; }
  std::vector<std::string> ListFolder(const std::string&) const override { return {}; }
};

std::shared_ptr<const ingest::RouteTable> Compile() {
  const Text environment;
  config::Sources sources;
  sources.files = {"f.yaml"};
  auto loaded = config::Load(sources, environment);
  if (!loaded.ok()) std::fprintf(stderr, "%s\n", loaded.status().ToString().c_str());
  Require(loaded.ok(), "the configuration is good");
  auto table = ingest::RouteTable::Compile(loaded->config.ingest(), loaded->locations, environment);
  if (!table.ok()) std::fprintf(stderr, "%s\n", table.status().ToString().c_str());
  Require(table.ok(), "the routes are good");
  return *std::move(table);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto table = Compile();
  static const auto prices = table->Resolve("prices");
  static const auto raw = table->Resolve("raw");
  static ingest::Normaliser normaliser;
  static ingest::JsonDocument document;
  spillway::fuzz::Input input(data, size);
  ingest::RecordInput record;
  record.key = input.TakeLine();
  record.value = input.TakeRest();
  record.timestamp_ms = 1'000;
  for (const auto& route : {prices, raw}) {
    const ingest::NormaliseResult result = normaliser.Normalise(*route, record);
    Require(!result.rejected || result.events.empty(), "what is rejected yields nothing");
    for (const ingest::NormalisedEvent& one : result.events) {
      Require(!one.event.channels.empty(), "an event has a channel");
      for (const std::string_view channel : one.event.channels) {
        Require(spillway::ValidateChannelName(channel).ok(), "channels have good names");
      }
      if (one.event.encoding == spillway::v1::PAYLOAD_ENCODING_JSON && !one.event.tombstone) {
        Require(document.Parse(one.event.payload), "a payload that is said to be JSON is");
      }
    }
  }
  return 0;
}
